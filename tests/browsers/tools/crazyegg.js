// A stand-in for Crazy Egg: an id unless it is told to set none, and what the pointer does.
(() => {
  if (!window.CE_NO_COOKIES) {
    document.cookie = '_ce.s=111.222; Path=/; Max-Age=31536000';
    document.cookie = '_ceir=1; Path=/; Max-Age=31536000';
  }
  window.CE2 = { set() {}, addTag() {} };
  fetch(`https://tracking.crazyegg.com/clock?t=${Date.now()}`, { credentials: 'include' });
  fetch('https://recording.crazyegg.com/abcde', {
    method: 'POST', credentials: 'include', body: JSON.stringify({ visitor: '111.222' }),
  });
})();
