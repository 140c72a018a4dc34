/** Why a file cannot be used, in words that follow its name and quote nothing of it: secrets may be in it. */
export class Unusable extends Error {}
