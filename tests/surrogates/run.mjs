// node run.mjs FOLDER (as-is | twice | empty): checks every claim.
// Prints {surrogate: {sentence: error or null}}.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import './claims_analytics.mjs';
import './claims_every.mjs';
import './claims_facebook.mjs';
import './claims_layer.mjs';
import './claims_search_and_ads.mjs';
import './claims_surveys.mjs';
import './claims_twitter.mjs';
import { claims } from './claims.mjs';
import { Page } from './page.mjs';

const [folder, mode] = process.argv.slice(2);
const source = (name) => (mode === 'empty' ? '' : readFileSync(join(folder, name), 'utf8'));

const failure = async ({ body }) => {
  const page = new Page(source, mode === 'twice' ? 2 : 1);
  try {
    await body(page, assert);
    await page.settle();
    if (page.errors.length) throw page.errors[0];
    assert.deepEqual(page.sent, [], 'nothing is sent');
    assert.deepEqual(page.printed, [], 'nothing is printed');
    return null;
  } catch (error) {
    return String(error.message ?? error);
  }
};

const outcome = {};
for (const claim of claims) {
  (outcome[claim.name] ??= {})[claim.sentence] = await failure(claim);
}
process.stdout.write(JSON.stringify(outcome));
