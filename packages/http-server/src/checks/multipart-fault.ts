/** Says what is wrong with a multipart body; `field` where it is about the name of one of its parts. */
export class MultipartFault extends Error {
  override readonly name: string = "MultipartFault";
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.field = field;
  }
}
