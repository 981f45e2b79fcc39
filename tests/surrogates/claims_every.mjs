// What every surrogate promises.
import { claim } from './claims.mjs';

const ALL =
  'analytics conversion crazyegg cse fb-sdk fbevents foresee ga gtag gtm optimize ' +
  'twitter-widgets verint wcm-loader';
for (const name of ALL.split(' ').map((stem) => `${stem}.js`)) {
  claim(name, 'leaves its globals as they are when it is loaded again', async (page, assert) => {
    const before = new Set(Object.keys(page.window));
    page.load(name);
    await page.settle();
    const made = Object.keys(page.window).filter((key) => !before.has(key));
    const values = made.map((key) => page.window[key]);
    assert.ok(made.length, 'it makes some');
    page.load(name);
    await page.settle();
    made.forEach((key, index) => assert.equal(page.window[key], values[index], key));
    assert.equal(Object.keys(page.window).length, before.size + made.length);
  });
}
