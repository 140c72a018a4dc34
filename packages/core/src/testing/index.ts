export {
  describeKit,
  type Kit,
  type KitFixture,
  type KitTest,
  runKitTest,
  type TestRunner,
} from "./kit/kit.ts";
