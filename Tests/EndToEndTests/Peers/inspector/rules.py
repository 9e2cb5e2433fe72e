# SPDX-License-Identifier: Apache-2.0
"""Scenes without a picture: the page's modules as values, loaded into the browser as the page loads them."""

import json
import os

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
# The table that the program's own tests walk as well.
TABLE = os.path.join(TESTS, "InspectionTests", "Cases", "filter.json")


def modules(stage, window):
    """JSON by tokens, forms, parts, events, secrets, differences and edits."""
    window.open()
    failures = window.page.evaluate(CASES, window.url)
    assert not failures, "\n".join(failures)


def filter_cases(stage, window):
    """The filter language, by the table that holds the program to the same rules."""
    with open(TABLE, encoding="utf-8") as file:
        table = json.load(file)
    window.open()
    failures = window.page.evaluate(
        """async ([url, table]) => {
          const {parseFilter} = await import(new URL('filter.js', url));
          const failures = [];
          for (const {filter, matches, needs_program: needsProgram} of table.cases) {
            const parsed = parseFilter(filter);
            if (parsed.needsProgram !== Boolean(needsProgram)) failures.push(`${filter}: needsProgram is ${parsed.needsProgram}`);
            if (parsed.needsProgram) continue;
            const found = table.exchanges.filter(one => parsed.matches(one, table.now ?? Date.now())).map(({id}) => id);
            if (JSON.stringify(found.sort()) !== JSON.stringify([...matches].sort())) failures.push(`${filter}: ${found} instead of ${matches}`);
          }
          return failures;
        }""",
        [window.url, table],
    )
    assert not failures, "\n".join(failures)
    assert len(table["cases"]) >= 20


CASES = r"""async url => {
  const load = name => import(new URL(name, url));
  const failures = [];
  const equal = (name, found, wanted) => {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) failures.push(`${name}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  };
  const bytes = text => new TextEncoder().encode(text);

  const {setOutJSON, plainJSON} = await load('json.js');
  const place = text => setOutJSON(text).error;
  equal('digits stay', plainJSON('{"a":12345678901234567890,"a":1.0e+2}'), '{\n  "a": 12345678901234567890,\n  "a": 1.0e+2\n}');
  equal('empty ones stay on their line', plainJSON('[{},[],""]'), '[\n  {},\n  [],\n  ""\n]');
  equal('a bare value', plainJSON(' true '), 'true');
  for (const wrong of ['{"a":}', '[1,]', '{"a" 1}', '[1 2]', '01', '"\n"', '{a:1}', '"\\x"', '}', '[1}', '1 2', 'nul', '', '{"a":1', '[', '{,}']) {
    if (place(wrong) === null) failures.push(`${wrong} passes for JSON`);
    let isWrong = false;
    try { JSON.parse(wrong); } catch { isWrong = true; }
    if (!isWrong) failures.push(`${wrong} is JSON`);
  }
  for (const right of ['null', '-0.5e-7', '"\\u00e9\\n"', '[[[]]]', '{"":{"":[1,"2",null]}}', ' [ ] ']) {
    if (place(right) !== null) failures.push(`${right} is refused`);
    equal(`${right} means the same`, JSON.stringify(JSON.parse(plainJSON(right))), JSON.stringify(JSON.parse(right)));
  }
  equal('the place of an error', place('{\n "a": 1,\n x'), {offset: 12, line: 3, column: 2});
  equal('depth is bounded', place('['.repeat(100000))?.offset, 512);
  equal('a limit leaves the rest', setOutJSON('[1,2,3,4,5]', 4).isWhole, false);

  const {formMembers, multipartParts, parameter, streamEvents} = await load('parts.js');
  equal('a form', formMembers(bytes('a=1&a=b+c&d=%3D&e')), [['a', '1'], ['a', 'b c'], ['d', '='], ['e', '']]);
  equal('a quoted parameter', parameter('x/y; boundary="a;\\"b"; c=d', 'boundary'), 'a;"b');
  equal('no parameter', parameter('x/y', 'boundary'), null);
  const multipart = text => multipartParts(bytes(text.replaceAll('\n', '\r\n')), 'b');
  const brief = ({parts, isWhole}) => [parts.map(part => [part.name, new TextDecoder().decode(part.bytes)]), isWhole];
  equal('parts', brief(multipart('--b\nContent-Disposition: form-data; name="x"\n\n1\n2\n--b\n\nbare\n--b--\n')), [[['x', '1\r\n2'], [null, 'bare']], true]);
  equal('a preamble', brief(multipart('hello\n--b\n\nx\n--b--')), [[[null, 'x']], true]);
  equal('a cut body', brief(multipart('--b\nContent-Disposition: form-data; name="x"\n\nbegin')), [[['x', 'begin']], false]);
  equal('a part without an end of its head', brief(multipart('--b\nContent-Disp')), [[[null, '']], false]);
  equal('no delimiter', brief(multipart('nothing')), [[], false]);
  const events = text => streamEvents(bytes(text)).events.map(({offset, ...event}) => event);
  equal('events', events('event: a\ndata: 1\ndata:2\n\n: c\r\ndata\r\n\r\nid: 7\rretry: 5\r\r'), [{event: 'a', data: '1\n2'}, {comment: ' c'.trim()}, {data: ''}, {id: '7', retry: '5'}]);
  equal('an event that is not complete', events('data: 1\n\ndata: 2'), [{data: '1'}]);
  equal('where an event ends', streamEvents(bytes('data: 1\n\ndata: 2\n\n')).events.map(({offset}) => offset), [8, 17]);

  const {covered, fieldParts, targetParts, coveredHead} = await load('secrets.js');
  const field = (name, value) => covered(fieldParts(name, value));
  equal('a scheme stays', field('Authorization', 'Basic abc'), 'Basic ••••••••');
  equal('names of cookies stay', field('Cookie', 'a=1; b=2'), 'a=••••••••; b=••••••••');
  equal('attributes stay', field('Set-Cookie', 'a=1; Path=/'), 'a=••••••••; Path=/');
  equal('other fields', field('Accept', '*/*'), '*/*');
  equal('a signature stays', field('X-Hub-Signature-256', 'sha256=1'), 'sha256=1');
  equal('by its ending', field('X-Vault-Token', 'a'), '••••••••');
  equal('a target', covered(targetParts('/a?b=1&access_token=2&%63ode=3&token')), '/a?b=1&access_token=••••••••&%63ode=••••••••&token');
  equal('a fragment', field('Location', 'http://a/b?x=1#code=2&state=3'), 'http://a/b?x=1#code=••••••••&state=3');
  equal('a reference without secrets', field('Referer', 'http://a/b?x=1'), 'http://a/b?x=1');
  equal('a head', coveredHead('GET /?key=1 HTTP/1.1\r\nCookie: a=1\r\nX: y'), 'GET /?key=•••••••• HTTP/1.1\r\nCookie: a=••••••••\r\nX: y');

  const {lineDifference, fieldDifference} = await load('diff.js');
  const difference = (one, other) => lineDifference([...one], [...other]).map(pair => pair.join('')).join('');
  equal('lines', difference('abcd', 'abxd'), ' a b-c+x d');
  equal('all new', difference('', 'ab'), '+a+b');
  equal('equal', difference('ab', 'ab'), ' a b');
  for (let seed = 1, number = 0; number < 300; number += 1) {
    const random = limit => { seed = seed * 48271 % 2147483647; return seed % limit; };
    const line = () => Array.from({length: random(12)}, () => 'abc'[random(3)]);
    const [one, other] = [line(), line()];
    const lines = lineDifference(one, other);
    equal(`first of ${number}`, lines.filter(([sign]) => sign !== '+').map(([, text]) => text), one);
    equal(`second of ${number}`, lines.filter(([sign]) => sign !== '-').map(([, text]) => text), other);
  }
  const far = lineDifference(Array.from({length: 3000}, (_, n) => `a${n}`), Array.from({length: 3000}, (_, n) => `b${n}`));
  equal('texts without anything in common', far.length, 6000);
  equal('fields', fieldDifference([['A', '1'], ['B', '2'], ['b', '3']], [['a', '1'], ['B', '4'], ['C', '5']]), [['~', 'B', '2', '4'], ['-', 'b', '3', null], ['+', 'C', null, '5']]);

  const {fieldsOf, linesOf, lineEnds} = await load('edit.js');
  equal('fields come back', fieldsOf(linesOf([['A', 'b: c'], ['A', '']])), {fields: [['A', 'b: c'], ['A', '']], error: null});
  for (const wrong of ['no colon', ': x', 'a b: c', 'A\n']) if (wrong !== 'A\n' && !fieldsOf(wrong).error) failures.push(`${wrong} passes for a field`);
  equal('line ends', ['a\r\nb', 'a\nb', 'a\rb', 'a\r\nb\nc', 'a'].map(lineEnds), ['crlf', 'lf', 'mixed', 'mixed', 'lf']);

  const {size, span} = await load('units.js');
  equal('sizes', [0, 1023, 1024, 1536, 10 * 1024, 3 << 20, 2 ** 40].map(size), ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '10 KiB', '3.0 MiB', '1.0 TiB']);
  equal('spans', [0.04, 9.99, 999, 1000, 59_990, 3_700_000].map(span), ['0.0 ms', '10 ms', '999 ms', '1.0 s', '1 min 0 s', '1 h 1 min']);

  const {Exchanges} = await load('exchanges.js');
  const all = new Exchanges();
  all.load([{id: 'c'}, {id: 'a'}]);
  equal('newest first', [all.inRow(0).id, all.inRow(1).id], ['c', 'a']);
  equal('new ones', all.take([{id: 'd'}, {id: 'b'}, {id: 'a', x: 1}]), 1);
  equal('rows', ['a', 'b', 'c', 'd', 'e'].map(id => all.rowOf(id)), [3, 2, 1, 0, -1]);
  all.show(item => item.x === 1);
  equal('shown', [all.shownCount, all.inRow(0).id], [1, 'a']);
  all.take([{id: 'a'}]);
  equal('what no longer matches goes', all.shownCount, 0);
  all.show(() => true);
  all.removeOlder('c');
  equal('what is older goes', [all.count, all.shownCount], [2, 2]);
  all.remove(['d', 'zz']);
  equal('one goes', [all.count, all.inRow(0).id], [1, 'c']);
  return failures;
}"""
