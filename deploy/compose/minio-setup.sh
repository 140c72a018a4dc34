#!/bin/sh
# Makes the bucket of Modelgate and a user who may use it and nothing else. It may be called again.
set -eu
export MC_CONFIG_DIR=/tmp/mc
MC_HOST_store="http://modelgate-root:$(cat /run/secrets/minio-root-password)@minio:9000"
export MC_HOST_store
key=$(cat /run/secrets/s3-access-key)

mc mb --ignore-existing store/modelgate
cat >/tmp/policy.json <<'JSON'
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::modelgate"]
    },
    {
      "Effect": "Allow",
      "Action": [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts"
      ],
      "Resource": ["arn:aws:s3:::modelgate/*"]
    }
  ]
}
JSON
mc admin policy create store modelgate /tmp/policy.json
mc admin user add store "$key" "$(cat /run/secrets/s3-secret-key)"
# What is attached already is refused.
mc admin policy attach store modelgate --user "$key" || mc admin user info store "$key" | grep -q modelgate
