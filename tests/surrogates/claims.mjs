// What the surrogates promise, by name: a sentence, and (page, assert) => … that fails where it is
// broken. A claim must fail with an empty script in the surrogate's place, and hold when the
// surrogate is loaded twice.
export const claims = [];
export const claim = (name, sentence, body) => claims.push({ name, sentence, body });
