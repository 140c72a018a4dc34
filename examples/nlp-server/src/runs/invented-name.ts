const adjectives =
  "able agile brave bright calm capable charming clean clever colorful dapper dazzling delicate fearless gentle grandiose hilarious honorable indecisive intrigued kindly languid luminous merciful mysterious nebulous omniscient persistent polite powerful puzzled quick rare resilient salty selective shivering skillful smiling stately sassy thoughtful traveling unique upbeat valuable vaunted welcoming wistful youthful";
const nouns =
  "ant ape asp bass bat bear bee bird boar bug calf carp cat chimp cod colt conch cow crab crane croc crow cub deer doe dog dolphin donkey dove duck eel elk finch fish flea fly foal fowl fox frog gnat goat goose grouse grub gull hare hawk hen hog horse hound jay kit lamb lark loon lynx mare midge mink mole moose moth mouse mule newt owl ox panda penguin perch pig pug quail ram rat ray robin roo rook seal shad shark sheep shoat shrew shrike shrimp skink skunk sloth slug snail snake snipe sow squid squirrel stag steed stoat stork swan tern toad trout turtle vole wasp whale wolf worm wren yak zebra";

/** A name as MLflow gives it to a run that nobody named, such as `calm-foal-867`. */
export function inventedName(): string {
  const oneOf = (words: string): string => {
    const list = words.split(" ");
    return list[Math.floor(Math.random() * list.length)] ?? "calm";
  };
  return `${oneOf(adjectives)}-${oneOf(nouns)}-${Math.floor(Math.random() * 1_000)}`;
}
