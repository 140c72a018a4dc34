export { checkHistory } from "./check-history.ts";
export {
  type ClientEvent,
  type GrantView,
  type History,
  type HistoryEnd,
  type HistoryEvent,
  type HistoryFacts,
  RULES,
  type RuleName,
  type ServerEvent,
  type StoreCause,
  type StoreEvent,
  type Violation,
  type WorldEvent,
} from "./history.ts";
