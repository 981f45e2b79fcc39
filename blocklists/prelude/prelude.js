// Runs before any script of an inspected page, called with what the choices in force say:
//   choices.gpc      navigator.globalPrivacyControl is to be true
//   choices.cookies  expression for names of cookies that are neither set nor kept; '' for none
//   choices.keys     expression for keys of localStorage and sessionStorage likewise
//   choices.exact    those of the keys that are spelled out
//   flags            what tools read as an opt-out, by name
// Nothing here may throw, show, or change anything else: what is not named behaves as before.
(choices, flags) => {
  'use strict';

  const attempt = (action) => {
    try {
      action();
    } catch (error) {
      // Without this part (an old browser, a sandboxed frame) the others still hold.
    }
  };

  // A proxy around the browser's own function: it prints as native code, and keeps its name, its
  // length and its complaint about a wrong `this`.
  const around = (target, apply) => new Proxy(target, { apply });
  const redefine = (owner, name, change) => {
    const found = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, Object.assign({}, found, change(found)));
  };
  const named = (source) => {
    const expression = source ? new RegExp(source) : null;
    return (name) => expression !== null && expression.test(name);
  };

  attempt(() => {
    const own = document.currentScript;
    const charset = own.previousElementSibling;
    if (charset && charset.hasAttribute('data-optout')) charset.remove();
    own.remove();
  });

  // https://www.w3.org/TR/gpc/ section 4.1; it agrees with the header Sec-GPC.
  attempt(() => {
    if (!choices.gpc || navigator.globalPrivacyControl === true) return;
    const owner = Navigator.prototype;
    const complains = Object.getOwnPropertyDescriptor(owner, 'onLine').get;
    const own = Object.getOwnPropertyDescriptor({
      get globalPrivacyControl() {
        Reflect.apply(complains, this, []);
        return true;
      },
    }, 'globalPrivacyControl');
    Object.defineProperty(owner, 'globalPrivacyControl', {
      get: new Proxy(own.get, {}), set: undefined, enumerable: true, configurable: true,
    });
  });

  // A page that writes a flag itself cannot take the opt-out back.
  Object.keys(flags).forEach((name) => attempt(() => {
    Object.defineProperty(window, name, {
      get: () => flags[name], set: () => undefined, enumerable: true, configurable: true,
    });
  }));

  const isCookie = named(choices.cookies);
  const isOver = (text) => {
    const age = /;\s*max-age\s*=\s*(-?\d+)/i.exec(text);
    if (age) return Number(age[1]) <= 0;
    const end = /;\s*expires\s*=\s*([^;]+)/i.exec(text);
    return end !== null && Date.parse(end[1]) <= Date.now();
  };
  const nameOf = (text) => {
    const pair = text.split(';', 1)[0];
    return pair.indexOf('=') < 0 ? '' : pair.slice(0, pair.indexOf('=')).trim();
  };

  // A name does not tell where its cookie was set: each place that this page could have set it.
  const forget = (name) => {
    const labels = location.hostname.split('.');
    const domains = [''].concat(labels.slice(1).map((_, n) => `;domain=${labels.slice(n).join('.')}`));
    const steps = location.pathname.split('/').slice(0, 9);
    const paths = ['/'];
    steps.forEach((_, n) => {
      const path = steps.slice(0, n + 1).join('/');
      if (path) paths.push(path, `${path}/`);
    });
    const over = ';expires=Thu, 01 Jan 1970 00:00:00 GMT;max-age=0';
    const secure = location.protocol === 'https:' ? ';secure' : '';
    domains.forEach((domain) => paths.forEach((path) => {
      document.cookie = `${name}=${over};path=${path}${domain}${secure}`;
    }));
    document.cookie = `${name}=${over};path=/;secure;partitioned`;
  };

  attempt(() => {
    if (!choices.cookies) return;
    document.cookie.split(';').map((pair) => nameOf(pair)).filter(isCookie).forEach(forget);
  });
  attempt(() => {
    if (!choices.cookies) return;
    redefine(Document.prototype, 'cookie', (own) => ({
      set: around(own.set, (target, self, args) => {
        const text = String(args[0]);
        if (isCookie(nameOf(text)) && !isOver(text)) return undefined;
        return Reflect.apply(target, self, [text]);
      }),
    }));
  });
  attempt(() => {
    if (!choices.cookies || typeof CookieStore === 'undefined') return;
    redefine(CookieStore.prototype, 'set', (own) => ({
      value: around(own.value, (target, self, args) => {
        const init = args[0];
        const whole = init !== null && typeof init === 'object';
        const isPast = whole && typeof init.expires === 'number' && init.expires <= Date.now();
        const name = String(whole ? init.name : init);
        return isCookie(name) && !isPast ? Promise.resolve() : Reflect.apply(target, self, args);
      }),
    }));
  });

  const isKey = named(choices.keys);
  const stores = () => [window.localStorage, window.sessionStorage];
  const clear = () => stores().forEach((store) => {
    Array.from({ length: store.length }, (_, n) => store.key(n))
      .filter((key) => key !== null && isKey(key))
      .forEach((key) => store.removeItem(key));
  });

  attempt(() => {
    if (!choices.keys) return;
    redefine(Storage.prototype, 'setItem', (own) => ({
      value: around(own.value, (target, self, args) => (
        args.length > 1 && isKey(String(args[0])) ? undefined : Reflect.apply(target, self, args)
      )),
    }));
  });
  // `localStorage.key = value` goes past setItem. For keys that are spelled out an accessor on the
  // prototype stops it (Chromium and Firefox ask that first); what is written under a key with a
  // wildcard is gone with the page, and before the next one reads.
  choices.exact.forEach((key) => attempt(() => {
    if (key in Storage.prototype) return;
    Object.defineProperty(Storage.prototype, key, {
      get: () => undefined, set: () => undefined, enumerable: false, configurable: true,
    });
  }));
  attempt(() => {
    if (!choices.keys) return;
    window.addEventListener('pagehide', () => attempt(clear));
    clear();
  });
}
