/** The first rank of a lane, of those that are ready and those that are due; nothing where there is neither. */
export function firstRankOf(...ranks: readonly (number | null | undefined)[]): { firstRank?: number } {
  const known = ranks.filter((rank) => typeof rank === "number");
  return known.length === 0 ? {} : { firstRank: Math.min(...known) };
}
