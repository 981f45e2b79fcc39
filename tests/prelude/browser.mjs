// A browser just real enough for the prelude: prototypes with brands, a cookie jar that knows
// paths and domains, stores whose keys are properties, and scripts that know their own element.
import vm from 'node:vm';

const classes = `(host) => {
  const brand = (set, self) => {
    if (!set.has(self)) throw new TypeError('Illegal invocation');
  };
  const navigators = new WeakSet(), documents = new WeakSet(), stores = new WeakMap();
  globalThis.Navigator = class Navigator {
    get onLine() { brand(navigators, this); return true; }
  };
  globalThis.Document = class Document {
    get cookie() { brand(documents, this); return host.readCookies(); }
    set cookie(text) { brand(documents, this); host.writeCookie(String(text)); }
  };
  globalThis.Storage = class Storage {
    get length() { brand(stores, this); return stores.get(this).size; }
    key(n) { brand(stores, this); return [...stores.get(this).keys()][n] ?? null; }
    getItem(key) { brand(stores, this); return stores.get(this).get(String(key)) ?? null; }
    setItem(key, value) {
      brand(stores, this);
      if (arguments.length < 2) throw new TypeError('2 arguments required');
      stores.get(this).set(String(key), String(value));
    }
    removeItem(key) { brand(stores, this); stores.get(this).delete(String(key)); }
  };
  globalThis.CookieStore = class CookieStore {
    async set(init, value) {
      const whole = init && typeof init === 'object';
      host.writeCookie(whole ? init.name + '=' + init.value : init + '=' + value);
    }
  };
  // The named properties of a store. As measured, what stands on its prototype comes first.
  host.makeStore = (entries) => {
    const items = new Map(entries);
    const traps = {
      get: (store, key) => (key in Storage.prototype || typeof key === 'symbol'
        ? Reflect.get(store, key, proxy) : items.get(key)),
      set: (store, key, value) => {
        if (key in Storage.prototype) return Reflect.set(Storage.prototype, key, value, proxy);
        items.set(key, String(value));
        return true;
      },
      ownKeys: () => [...items.keys()],
      getOwnPropertyDescriptor: (store, key) => (items.has(key)
        ? { value: items.get(key), writable: true, enumerable: true, configurable: true }
        : undefined),
    };
    const proxy = new Proxy(Object.create(Storage.prototype), traps);
    stores.set(proxy, items);
    return proxy;
  };
  globalThis.navigator = new Navigator();
  globalThis.document = new Document();
  globalThis.cookieStore = new CookieStore();
  navigators.add(navigator);
  documents.add(document);
}`;

export class Browser {
  constructor({ href = 'https://www.mass.gov/orgs/a', cookies = [], local = {}, session = {} } = {}) {
    const url = new URL(href);
    this.jar = cookies.map(([name, at = {}]) => ({ name, path: '/', domain: '', ...at }));
    this.url = url;
    this.elements = [];
    this.listeners = {};
    this.host = {
      readCookies: () => this.jar.map(({ name }) => `${name}=1`).join('; '),
      writeCookie: (text) => this.#write(text),
    };
    this.window = vm.createContext({});
    this.run('globalThis.window = globalThis');
    this.run(classes)(this.host);
    Object.assign(this.window, {
      location: url,
      addEventListener: (event, listener) => (this.listeners[event] = listener),
      localStorage: this.host.makeStore(Object.entries(local)),
      sessionStorage: this.host.makeStore(Object.entries(session)),
    });
  }

  // A cookie is deleted only by a line for the place where it was set.
  #write(text) {
    const [pair, ...attributes] = text.split(';').map((part) => part.trim());
    const given = Object.fromEntries(attributes.map((part) => part.toLowerCase().split('=')));
    const at = { name: pair.split('=')[0], path: given.path ?? '/', domain: given.domain ?? '' };
    const same = (one) => Object.keys(at).every((key) => one[key] === at[key]);
    this.jar = this.jar.filter((one) => !same(one));
    if (given['max-age'] !== '0') this.jar.push(at);
  }

  run(code) {
    return vm.runInContext(code, this.window);
  }

  // As a script element whose element stands after `previous`.
  load(code, previous = null) {
    const script = { remove: () => this.elements.splice(this.elements.indexOf(script), 1) };
    script.previousElementSibling = previous;
    this.elements.push(script);
    this.run('document').currentScript = script;
    this.run(code);
    this.run('document').currentScript = null;
  }

  get cookies() {
    return this.jar.map(({ name }) => name);
  }
}
