// A stand-in for Facebook's SDK: it asks who is logged in, and puts a frame where a button is wanted.
(() => {
  let app = '';
  window.FB = {
    init(options) {
      app = options.appId;
      document.querySelectorAll('.fb-like').forEach((place) => {
        const frame = document.createElement('iframe');
        frame.width = 120;
        frame.height = 28;
        frame.title = 'Like';
        frame.src = 'https://www.facebook.com/v21.0/plugins/like.php' +
          `?app_id=${app}&href=${encodeURIComponent(place.dataset.href)}`;
        place.appendChild(frame);
      });
    },
    getLoginStatus(done) {
      fetch(`https://www.facebook.com/x/oauth/status?client_id=${app}&origin=1&sdk=joey`,
        { credentials: 'include' }).then((got) => got.json())
        .then((said) => done({ status: said.status || 'unknown' }));
    },
    XFBML: { parse() {} },
    Event: { subscribe() {} },
  };
  if (window.fbAsyncInit) window.fbAsyncInit();
})();
