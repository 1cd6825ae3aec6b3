// Starts what a page needs: countdowns, the live stream, keys, and the small helps of forms.
import { startClock } from "./clock.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startQueue } from "./queue.js";
import { startCase } from "./case.js";

startClock();
const page = document.body.dataset.page;
if (document.getElementById("live")) {
  startKeys();
  if (page === "queue") startLive(startQueue());
  else if (page === "case") startLive(startCase());
  else startLive({});
}
