export { type FilesystemObjectStoreOptions, filesystemObjectStore } from "./object-store.ts";
