// What the demo claims, checked. Pure, so that a test can show that each claim would be found broken.

/** Urgent and patient notes, by priority, for the claim that urgent ones end earlier. Few notes never have to queue. */
const urgentFrom = 8;
const patientTo = 2;
const fewNotes = 40;

export function waitMsOf({ task }) {
  return Date.parse(task?.finished_at) - Date.parse(task?.created_at);
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Holds what came back against what had to. `letters` have `result`, what the gateway kept, and `direct`, what the
 * model server itself answers; `tasks` are the ids of all tasks that the gateway has, and `stats` is what the server
 * counted while the gateway used it.
 */
export function judge({ letters, tasks, stats, kills }) {
  const of = (test) => letters.filter(test);
  const accepted = of(({ uuids }) => uuids.size > 0);
  const ended = of(({ state }) => state === "succeeded");
  const uuids = new Set(accepted.flatMap((letter) => [...letter.uuids]));
  const lost = accepted.filter(({ isLost, state }) => isLost || state === undefined);
  const double = of((letter) => letter.uuids.size > 1);
  // A task that no client was told of is a second one of some note: its submit was repeated, and the key forgotten.
  const untold = tasks.filter((uuid) => !uuids.has(uuid));
  const wrong = ended.filter(({ result, direct }) => result === undefined || result !== direct);
  const readAgain = Object.values(stats.texts).reduce(
    (sum, { received }) => sum + Math.max(0, received - 1),
    0,
  );
  const urgent = ended.filter(({ priority }) => priority >= urgentFrom).map(waitMsOf);
  const patient = ended.filter(({ priority }) => priority <= patientTo).map(waitMsOf);

  const mismatches = [];
  const claim = (holds, sentence) => holds || mismatches.push(sentence);
  const numbers = (list) =>
    list
      .slice(0, 5)
      .map(({ number }) => number)
      .join(", ");
  claim(accepted.length === letters.length, `${letters.length - accepted.length} notes were not accepted`);
  claim(lost.length === 0, `lost: notes ${numbers(lost)}`);
  claim(double.length === 0, `two tasks for one note: notes ${numbers(double)}`);
  claim(untold.length === 0, `${untold.length} tasks that no client knows of`);
  claim(uuids.size >= accepted.length, "two notes share a task");
  const failed = accepted.filter((letter) => !lost.includes(letter) && !ended.includes(letter));
  claim(failed.length === 0, `ended without success: notes ${numbers(failed)}`);
  claim(wrong.length === 0, `not what the model answers: notes ${numbers(wrong)}`);
  // Only what was being read when the gateway died is read again.
  const allowed = kills * stats.peak;
  claim(readAgain <= allowed, `the model read ${readAgain} texts again; ${kills} kills explain ${allowed}`);
  if (letters.length >= fewNotes && urgent.length > 0 && patient.length > 0) {
    const [soon, late] = [mean(urgent), mean(patient)];
    claim(
      soon < late,
      `urgent notes took ${Math.round(soon)} ms on average, patient ones ${Math.round(late)} ms`,
    );
  }
  return {
    accepted: accepted.length,
    ended: ended.length,
    lost: lost.length,
    double: double.length + untold.length,
    wrong: wrong.length,
    submittedAgain: of(({ submits }) => submits > 1).length,
    readAgain,
    mismatches,
  };
}
