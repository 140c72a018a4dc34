/** Where a fault is: the line and the byte of it counted from 1, and the byte of the whole body from 0. */
export interface JsonPlace {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** Says what is wrong with a document, and where; never what stands there. */
export class JsonFault extends Error {
  override readonly name: string = "JsonFault";
  readonly place: JsonPlace;

  constructor(message: string, place: JsonPlace) {
    super(message);
    this.place = place;
  }
}
