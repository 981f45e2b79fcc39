// A stand-in for conversion.js: a conversion, reported as soon as it is loaded.
new Image().src = `https://www.googleadservices.com/pagead/conversion/${google_conversion_id}/` +
  `?label=${google_conversion_label}&url=${encodeURIComponent(location.href)}`;
