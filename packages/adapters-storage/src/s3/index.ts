export { type ForeignBucket, readForeignBucket } from "./foreign.ts";
export { inspectS3, type S3Inspection, type S3Problem } from "./inspect.ts";
export { makeS3Bucket } from "./make-bucket.ts";
export { s3ObjectStore } from "./object-store.ts";
export type { MinioClientLike, S3ObjectStoreOptions } from "./options.ts";
export { type SweepS3UploadsOptions, type SweepS3UploadsReport, sweepS3Uploads } from "./sweep-uploads.ts";
