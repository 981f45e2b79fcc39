// Stands in for https://platform.twitter.com/widgets.js (X for Websites).
// API: https://developer.x.com/en/docs/x-for-websites/javascript-api
// Breakage: pages wait in `twttr.ready`, or for the promises of `twttr.widgets`. A post or timeline
// that a script asked for becomes a plain link; what stands in the page as text stays text.
(() => {
  'use strict';

  const twttr = (window.twttr = window.twttr || {});
  if (twttr.init) return;

  const later = (callback, ...args) => {
    if (typeof callback === 'function') setTimeout(callback, 0, ...args);
  };
  const site = 'https://x.com/';
  const quote = encodeURIComponent;

  let bound = [];
  const fire = (event, detail) =>
    bound.filter((one) => one.event === event).forEach((one) => later(one.callback, detail));

  const link = (label, url, target) => {
    if (!target || typeof target.appendChild !== 'function') return undefined;
    const anchor = document.createElement('a');
    anchor.href = url;
    anchor.target = '_blank';
    anchor.rel = 'noopener noreferrer';
    anchor.textContent = label;
    anchor.title = 'You opted out of the X widget.';
    target.appendChild(anchor);
    return anchor;
  };
  // createSomething(what, target, [callback], [options]), with a promise of the element.
  const create = (label, address) => (what, target, ...rest) => {
    const element = link(label, address(what), target);
    later(rest.filter((arg) => typeof arg === 'function')[0], element);
    return Promise.resolve(element);
  };
  const timeline = (source) => {
    const asked = source || {};
    if (/^https?:/.test(asked.url)) return asked.url;
    return site + quote(asked.screenName || asked.ownerScreenName || '');
  };
  const post = create('View on X', (id) => site + 'i/status/' + quote(id));

  const load = () => {
    fire('loaded', { widgets: [] });
    return Promise.resolve([]);
  };
  twttr.widgets = {
    load,
    createTweet: post,
    createTweetEmbed: post,
    createVideo: post,
    createTimeline: create('View on X', timeline),
    createMoment: create('View on X', (id) => site + 'i/events/' + quote(id)),
    createFollowButton: create(
      'Follow on X',
      (name) => site + 'intent/follow?screen_name=' + quote(name)
    ),
    createMentionButton: create(
      'Post on X',
      (name) => site + 'intent/post?screen_name=' + quote(name)
    ),
    createHashtagButton: create('Post on X', (tag) => site + 'intent/post?hashtags=' + quote(tag)),
    createShareButton: create('Post on X', (url) => site + 'intent/post?url=' + quote(url)),
    createDMButton: create('Message on X', () => site + 'messages'),
  };
  twttr.events = {
    bind: (event, callback) => bound.push({ event, callback }),
    unbind(event, callback) {
      bound = bound.filter((one) => one.event !== event || (callback && one.callback !== callback));
    },
  };
  // Pages call it without a look; it is the X Ads library that would bring it.
  twttr.conversion = twttr.conversion || { trackPid() {}, loadPixels() {} };

  twttr.ready = (callback) => {
    later(callback, twttr);
    return Promise.resolve(twttr);
  };
  const queued = Array.from(twttr._e || []);
  twttr._e = [];
  twttr._e.push = twttr.ready;
  twttr.init = true;
  queued.forEach(twttr.ready);
  // As after the first look through the page: listeners bound in `ready` hear it.
  later(load);
})();
