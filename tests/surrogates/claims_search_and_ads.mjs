// Programmable Search, Google Ads conversions and call tracking.
import { claim } from './claims.mjs';
import { never, once } from './count.mjs';
import { spy } from './page.mjs';
import { snippets } from './snippets.mjs';

// --- cse.js
claim(
  'cse.js',
  "never calls the page's callbacks, yet has the element's methods",
  async (page, assert) => {
    page.window.callback = spy();
    page.run(`window.__gcse = {parsetags: 'explicit', callback: callback,
    initializationCallback: callback, searchCallbacks: {web: {starting: callback}}};`);
    page.window.box = page.place({ id: 'box' });
    page.load('cse.js', 'https://cse.google.com/cse.js?cx=1234567890:abcde');
    await page.settle();
    assert.equal(page.window.box.firstChild, null);
    page.run(`google.search.cse.element.render({div: 'box', tag: 'search', gname: 'one'});
    google.search.cse.element.go();`);
    await page.settle();
    never(page.window.callback);
    assert.equal(page.window.box.children.length, 1);
  }
);

claim(
  'cse.js',
  'puts a plain link, with the words asked for, where the search would be',
  (page, assert) => {
    const box = page.place({ className: 'gcse-search' });
    page.load('cse.js');
    assert.equal(box.children.length, 1);
    assert.equal(
      box.firstChild.href,
      'https://www.google.com/search?q=fishing%20licence%20site%3Awww.mass.gov'
    );
    page.run("google.search.cse.element.getElement('one').execute('boats')");
    assert.equal(
      box.firstChild.href,
      'https://www.google.com/search?q=boats%20site%3Awww.mass.gov'
    );
    page.run("google.search.cse.element.getElement('one').clearAllResults()");
    assert.equal(box.firstChild.href, 'https://www.google.com/search?q=site%3Awww.mass.gov');
    assert.equal(box.firstChild.rel, 'noreferrer');
    assert.match(box.firstChild.textContent, /Google/);
  }
);

claim('cse.js', 'waits for the page to be there', (page, assert) => {
  const box = page.place();
  page.window.document.readyState = 'loading';
  page.load('cse.js');
  assert.equal(box.children.length, 0);
  page.listeners.DOMContentLoaded();
  assert.equal(box.children.length, 1);
});

claim('cse.js', 'leaves other parts of `google` alone, and lists its elements', (page, assert) => {
  page.run('window.google = {maps: {a: 1}};');
  page.load('cse.js');
  page.run("google.search.cse.element.getElement('one').prefillQuery('a')");
  assert.equal(
    page.run('google.maps.a + Object.keys(google.search.cse.element.getAllElements()).join()'),
    '1one'
  );
  assert.equal(page.run("google.search.cse.element.getElement('one').getInputQuery()"), '');
});

// --- conversion.js, wcm-loader.js
claim('conversion.js', "lets Google's snippet go on to its address, once", async (page, assert) => {
  page.run(snippets.conversion);
  page.load('conversion.js');
  page.run("goog_report_conversion('https://a.example/thanks'); goog_report_conversion();");
  await page.settle();
  assert.deepEqual(page.visited, ['https://a.example/thanks']);
});

claim(
  'conversion.js',
  'takes calls without a callback, and leads on where the snippet is missing',
  async (page, assert) => {
    page.load('conversion.js');
    page.run('google_trackConversion({google_conversion_id: 1}); google_trackConversion();');
    page.run("goog_report_conversion('https://a.example/')");
    await page.settle();
    assert.deepEqual(page.visited, ['https://a.example/']);
  }
);

claim(
  'wcm-loader.js',
  'gives the page its own telephone number back, queued or not, once',
  async (page, assert) => {
    Object.assign(page.window, { before: spy(), after: spy() });
    page.run(`${snippets.wcm} _googWcmGet(before, '1-800-555-0100');`);
    page.load('wcm-loader.js');
    page.run("_googWcmGet(after, '1-800-555-0101'); _googWcmGet('a-class', '1-800-555-0101');");
    await page.settle();
    assert.deepEqual(page.window.before.calls, [['1-800-555-0100', '1-800-555-0100']]);
    assert.deepEqual(page.window.after.calls, [['1-800-555-0101', '1-800-555-0101']]);
  }
);

claim('wcm-loader.js', 'serves a page without the snippet', async (page) => {
  page.window.callback = spy();
  page.load('wcm-loader.js');
  page.run("_googWcmGet(callback, '1-800-555-0100')");
  await page.settle();
  once(page.window.callback);
});
