// X for Websites.
import { claim } from './claims.mjs';
import { never, once } from './count.mjs';
import { spy } from './page.mjs';
import { snippets } from './snippets.mjs';

claim(
  'twitter-widgets.js',
  'is ready for who queued and for who asks later',
  async (page, assert) => {
    Object.assign(page.window, { queued: spy(), later: spy(), promised: spy() });
    page.run(`${snippets.twttr} var same = twttr; twttr.ready(queued);`);
    page.load('twitter-widgets.js');
    page.run('twttr.ready(later); twttr.ready().then(promised); twttr._e.push(later);');
    await page.settle();
    once(page.window.queued);
    once(page.window.promised);
    assert.equal(page.window.later.calls.length, 2);
    page.run('var widgets = twttr.widgets;');
    page.load('twitter-widgets.js');
    assert.equal(page.run('twttr === same && twttr.widgets === widgets'), true);
    assert.equal(page.window.queued.calls[0][0], page.window.twttr);
  }
);

const WIDGETS = {
  "createTweet('123', box)": 'https://x.com/i/status/123',
  "createVideo('123', box)": 'https://x.com/i/status/123',
  "createTimeline({sourceType: 'profile', screenName: 'massgov'}, box, {height: 400})":
    'https://x.com/massgov',
  "createTimeline({sourceType: 'url', url: 'https://x.com/massgov/likes'}, box)":
    'https://x.com/massgov/likes',
  "createTimeline({sourceType: 'url', url: 'javascript:alert(1)'}, box)": 'https://x.com/',
  "createTimeline('123456', box)": 'https://x.com/',
  "createFollowButton('massgov', box)": 'https://x.com/intent/follow?screen_name=massgov',
  "createShareButton('https://a.example/', box)":
    'https://x.com/intent/post?url=https%3A%2F%2Fa.example%2F',
  "createHashtagButton('a b', box)": 'https://x.com/intent/post?hashtags=a%20b',
  "createMentionButton('massgov', box)": 'https://x.com/intent/post?screen_name=massgov',
  "createMoment('123', box)": 'https://x.com/i/events/123',
};
for (const [code, address] of Object.entries(WIDGETS)) {
  claim('twitter-widgets.js', `makes a plain link of ${code}`, async (page, assert) => {
    page.window.box = page.place();
    page.window.callback = spy();
    page.load('twitter-widgets.js');
    page.run(`twttr.widgets.${code}.then(callback)`);
    await page.settle();
    once(page.window.callback);
    assert.equal(page.window.box.firstChild.href, address);
    assert.equal(page.window.box.firstChild.rel, 'noopener noreferrer');
    assert.match(page.window.box.firstChild.textContent, / X$/);
    assert.equal(page.window.callback.calls[0][0], page.window.box.firstChild);
  });
}

claim(
  'twitter-widgets.js',
  'keeps its promises without a place to put anything',
  async (page, assert) => {
    page.window.callback = spy();
    page.load('twitter-widgets.js');
    page.run(`twttr.widgets.load().then(callback); twttr.widgets.load(document.body).then(callback);
    twttr.widgets.createTweet('1').then(callback);
    twttr.widgets.createTweet('1', null, callback, {});`);
    await page.settle();
    assert.equal(page.window.callback.calls.length, 4);
  }
);

claim(
  'twitter-widgets.js',
  'tells listeners that the page was looked through',
  async (page, assert) => {
    Object.assign(page.window, { first: spy(), gone: spy() });
    page.run(`${snippets.twttr}
    twttr.ready(function (t) { t.events.bind('loaded', first); t.events.bind('loaded', gone);
      t.events.unbind('loaded', gone); t.events.bind('rendered', gone); });`);
    page.load('twitter-widgets.js');
    await page.settle();
    once(page.window.first);
    never(page.window.gone);
    assert.equal(page.window.first.calls[0][0].widgets.length, 0);
  }
);
