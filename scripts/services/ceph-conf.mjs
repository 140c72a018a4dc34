// The configuration of a cluster of one: no authentication inside, one copy of everything, nothing that waits for
// peers.

import { join } from "node:path";

export function cephConfiguration({ folder, fsid, ports, certificate, isFile }) {
  return `[global]
fsid = ${fsid}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
mon_host = v1:127.0.0.1:${ports.monitor}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
public_network = 127.0.0.0/8
ms_bind_ipv6 = false
ms_bind_msgr2 = false
run_dir = ${join(folder, "run")}
admin_socket = ${join(folder, "run")}/$name.asok
log_to_file = false
log_to_stderr = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
[mon]
mon_data = ${join(folder, "mon")}
# A disk that is rather full is no reason to refuse writes in a test.
mon_data_avail_crit = 0
# Each change of the cluster's maps waits this long for others; a second is the default.
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
[osd]
osd_data = ${join(folder, "osd")}
osd_objectstore = ${isFile ? "bluestore" : "memstore"}
memstore_device_bytes = 4294967296
bluestore_block_size = 4294967296
osd_memory_target = 939524096
# Both would ask the monitor for what this cluster has not got, and the store would end with "wrong fsid".
osd_crush_update_on_start = false
osd_class_update_on_start = false
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_data = ${join(folder, "rgw")}
# Without tcp_nodelay some answers come 40 ms late.
rgw_frontends = beast endpoint=127.0.0.1:${ports.gateway} ssl_endpoint=127.0.0.1:${ports.tls} ssl_certificate=${certificate.certificate} ssl_private_key=${certificate.key} tcp_nodelay=1
rgw_enable_apis = s3
rgw_thread_pool_size = 32
`;
}
