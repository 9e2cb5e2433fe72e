// SPDX-License-Identifier: Apache-2.0
// Which values are covered until somebody asks for them. They are whole in the program's memory, because a replay needs
// them; a screen that is shared or photographed does not.

const FIELDS = new Set([
  'authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-api-key', 'x-auth-token', 'x-csrf-token', 'api-key',
  'apikey',
]);
// Signatures stay readable: they are what people look for when a webhook is refused.
const FIELD_ENDINGS = ['-token', '-secret', '-api-key', '-password'];
// Fields whose values are references, with queries and fragments.
const REFERENCES = new Set(['location', 'content-location', 'referer']);
const MEMBERS = new Set([
  'access_token', 'id_token', 'refresh_token', 'token', 'api_key', 'apikey', 'key', 'secret', 'password', 'passwd', 'code',
  'client_secret', 'sig', 'signature',
]);

export function isSecretField(name) {
  const lowered = name.toLowerCase();
  return FIELDS.has(lowered) || FIELD_ENDINGS.some(ending => lowered.endsWith(ending));
}

export function isSecretMember(name) {
  return MEMBERS.has(name.toLowerCase());
}

/**
 * A field's value in parts, `{text}` or `{secret}`: an authorization's scheme stays readable, a cookie's name, and the
 * attributes of a cookie that is set.
 */
export function fieldParts(name, value) {
  const lowered = name.toLowerCase();
  if (!isSecretField(lowered)) return REFERENCES.has(lowered) ? targetParts(value) : [{text: value}];
  if (lowered.endsWith('authorization')) {
    const space = value.indexOf(' ');
    return space > 0 ? [{text: value.slice(0, space + 1)}, {secret: value.slice(space + 1)}] : [{secret: value}];
  }
  if (lowered === 'cookie') {
    return value.split(';').flatMap((pair, index) => [...(index ? [{text: ';'}] : []), ...pairParts(pair)]);
  }
  if (lowered === 'set-cookie') {
    const end = value.indexOf(';');
    const pair = end < 0 ? value : value.slice(0, end);
    return [...pairParts(pair), ...(end < 0 ? [] : [{text: value.slice(end)}])];
  }
  return [{secret: value}];
}

function pairParts(pair) {
  const at = pair.indexOf('=');
  return at < 0 ? [{secret: pair}] : [{text: pair.slice(0, at + 1)}, {secret: pair.slice(at + 1)}];
}

/** A target, or another reference, with the secret members of its query and fragment apart. */
export function targetParts(target) {
  const start = target.search(/[?#]/);
  if (start < 0) return [{text: target}];
  const parts = [{text: target.slice(0, start + 1)}];
  for (const piece of target.slice(start + 1).split(/([&#])/)) {
    const at = piece.indexOf('=');
    if (at > 0 && isSecretMember(decoded(piece.slice(0, at)))) {
      parts.push({text: piece.slice(0, at + 1)}, {secret: piece.slice(at + 1)});
    } else {
      parts.push({text: piece});
    }
  }
  return parts;
}

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The parts as one line, secrets as dots. */
export function covered(parts) {
  return parts.map(part => part.secret === undefined ? part.text : part.secret && '••••••••').join('');
}

/** The bytes of a head, decoded, with the secrets of its target and fields as dots. */
export function coveredHead(head) {
  return head.split('\n').map((line, index) => {
    if (index === 0) {
      const [method, target, ...rest] = line.split(' ');
      return target === undefined || method.startsWith('HTTP/') ? line : [method, covered(targetParts(target)), ...rest].join(' ');
    }
    const colon = line.indexOf(':');
    if (colon <= 0) return line;
    const start = colon + 1 + line.slice(colon + 1).search(/\S|$/);
    const isEnded = line.endsWith('\r');
    const value = line.slice(start, isEnded ? -1 : undefined);
    return line.slice(0, start) + covered(fieldParts(line.slice(0, colon).trim(), value)) + (isEnded ? '\r' : '');
  }).join('\n');
}
