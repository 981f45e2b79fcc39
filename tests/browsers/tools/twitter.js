// A stand-in for widgets.js: a frame for every timeline, and a report that it was seen.
(() => {
  const meta = document.querySelector('meta[name="twitter:dnt"]');
  const dnt = Boolean(meta && meta.content === 'on');
  document.querySelectorAll('a.twitter-timeline').forEach((link) => {
    const frame = document.createElement('iframe');
    frame.width = 300;
    frame.height = 200;
    frame.title = 'Posts';
    frame.src = 'https://syndication.twitter.com/srv/timeline-profile/screen-name/' +
      `${link.href.split('/').pop()}?dnt=${dnt}&lang=en`;
    link.replaceWith(frame);
  });
  new Image().src = `https://syndication.twitter.com/i/jot?l=${encodeURIComponent('{"seen":1}')}`;
  window.twttr = { ready: (done) => done(window.twttr), widgets: { load() {} } };
})();
