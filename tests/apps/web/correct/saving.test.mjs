import assert from "node:assert/strict";
import { test } from "node:test";

import { Effort } from "../static/correct/effort.js";
import { CONFLICT, FAILED, SAVED, SAVING, Saving, UNSAVED } from "../static/correct/saving.js";

/** Time that passes when a test says so. */
function aClock() {
  const due = new Map();
  let names = 0;
  return {
    setTimeout: (act, ms) => {
      names += 1;
      due.set(names, { act, ms });
      return names;
    },
    clearTimeout: (name) => due.delete(name),
    waits: () => [...due.values()].map(({ ms }) => ms),
    pass: async () => {
      const all = [...due.values()];
      due.clear();
      for (const { act } of all) act();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function aSaving(answers) {
  const clock = aClock();
  const states = [];
  let sent = 0;
  const save = async () => {
    const answer = answers[sent] ?? SAVED;
    sent += 1;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const saving = new Saving(save, (state) => states.push(state), { later: clock });
  return { saving, clock, states, sent: () => sent };
}

test("many changes are saved once, after a rest", async () => {
  const { saving, clock, states, sent } = aSaving([]);
  for (let n = 0; n < 5; n += 1) saving.changed();
  assert.deepEqual(clock.waits(), [2000]);
  assert.equal(saving.isSaved, false);
  await clock.pass();
  assert.equal(sent(), 1);
  assert.equal(saving.isSaved, true);
  assert.deepEqual(states.slice(-2), [SAVING, SAVED]);
});

test("a change during saving is saved afterwards", async () => {
  const clock = aClock();
  const ends = [];
  const save = () => new Promise((resolve) => ends.push(resolve));
  const saving = new Saving(save, () => {}, { later: clock });
  saving.changed();
  await clock.pass();
  saving.changed();
  await clock.pass();
  assert.equal(ends.length, 1, "one request at a time");
  ends[0](SAVED);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(saving.isSaved, false);
  await clock.pass();
  assert.equal(ends.length, 2);
  ends[1](SAVED);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(saving.isSaved, true);
});

test("leaving saves at once", async () => {
  const { saving, sent } = aSaving([]);
  saving.changed();
  await saving.flush();
  assert.equal(sent(), 1);
  await saving.flush();
  assert.equal(sent(), 1);
});

test("what fails is told and tried again", async () => {
  const { saving, clock, states } = aSaving([new Error("no network")]);
  saving.changed();
  await clock.pass();
  assert.equal(states.at(-1), FAILED);
  assert.equal(saving.isSaved, false);
  assert.deepEqual(clock.waits(), [10_000]);
  await clock.pass();
  assert.equal(states.at(-1), SAVED);
});

test("a conflict waits for the reader, who keeps mine or takes theirs", async () => {
  for (const keepsMine of [true, false]) {
    const { saving, clock, states, sent } = aSaving([CONFLICT]);
    saving.changed();
    await clock.pass();
    assert.equal(states.at(-1), CONFLICT);
    saving.changed();
    await clock.pass();
    assert.equal(sent(), 1, "nothing is sent before it is settled");
    saving.settle(keepsMine);
    await clock.pass();
    assert.equal(sent(), keepsMine ? 2 : 1);
    assert.equal(saving.isSaved, true);
  }
});

test("unsaved is said as soon as something changes", () => {
  const { saving, states } = aSaving([]);
  saving.changed();
  assert.deepEqual(states, [UNSAVED]);
});

test("time counts between signs of life, and a long pause does not", () => {
  let now = 100;
  const effort = new Effort(() => now);
  const pass = (seconds) => {
    now += seconds;
    effort.stir();
  };
  pass(5);
  pass(60);
  pass(61);
  pass(3600);
  effort.click();
  assert.deepEqual(effort.take(), { seconds: 65, clicks: 1 });
  assert.deepEqual(effort.take(), { seconds: 0, clicks: 0 });
});

test("what was spent on a change that did not come about counts for the next", () => {
  let now = 0;
  const effort = new Effort(() => now);
  now = 10;
  effort.click();
  effort.back(effort.take());
  now = 15;
  assert.deepEqual(effort.take(), { seconds: 15, clicks: 1 });
});
