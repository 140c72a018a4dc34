export { s3ObjectStore } from "./object-store.ts";
export type { MinioClientLike, S3ObjectStoreOptions } from "./options.ts";
