// How often a callback was called, said plainly when it is wrong.
import assert from 'node:assert/strict';

export const once = (spied) => assert.equal(spied.calls.length, 1, 'called exactly once');
export const never = (spied, when = '') =>
  assert.equal(spied.calls.length, 0, `not called ${when}`);
