// How the gateway is reached: Ingress, HTTPRoute, OpenShift's Route, and the path that it is at.
import assert from 'node:assert/strict';
import {describe, test} from 'node:test';
import {gateway, ofKind, podsOf} from './documents.mjs';
import {majors, notes, refusal, render} from './helm.mjs';
import {typeErrors} from './kubernetes_types.mjs';
import {memory, minimal, outside} from './values.mjs';

const settingsOf = (documents) => {
  const [{configMapRef: {name}}] = gateway(documents).envFrom;
  return documents.find(({kind, metadata}) => kind === 'ConfigMap' && metadata.name === name).data;
};

for (const major of majors) {
  describe(`helm ${major}`, () => {
    const rendered = render(major, outside);
    const withIngress = (ingress, rest = {}) =>
      render(major, {...minimal, ...rest, ingress: {enabled: true, hosts: [{host: 'a.example.com'}], ...ingress}});
    const annotationsOf = (ingress, rest) => ofKind(withIngress(ingress, rest), 'Ingress').metadata.annotations;

    test('serves several paths of a host, each of its type', () => {
      const paths = (documents) => ofKind(documents, 'Ingress').spec.rules
        .map(({host, http}) => [host, ...http.paths.map(({path, pathType}) => `${pathType} ${path}`)]);
      assert.deepEqual(paths(rendered), [
        ['a.example.com', 'Exact /push/events', 'Prefix /push/channels'], ['b.example.com', 'Prefix /push'],
      ]);
      assert.deepEqual(paths(withIngress({})), [['a.example.com', 'Prefix /']]);
      assert.deepEqual(paths(withIngress({hosts: [{host: 'a.example.com', path: '/x'}]})), [['a.example.com', 'Prefix /x']]);
    });

    test('lets a load balancer of AWS ask the pods for /readyz and wait for their drain', () => {
      const {metadata: {annotations}} = ofKind(rendered, 'Ingress');
      const alb = (name) => annotations[`alb.ingress.kubernetes.io/${name}`];
      const {spec} = ofKind(rendered, 'Deployment').spec.template;
      assert.equal(alb('target-type'), 'ip');
      assert.equal(alb('scheme'), 'internet-facing');
      assert.equal(alb('healthy-threshold-count'), undefined, 'null takes it away');
      assert.equal(alb('healthcheck-path'), gateway(rendered).readinessProbe.httpGet.path);
      assert.equal(Number(alb('healthcheck-port')), gateway(rendered).ports.find(({name}) => name === 'admin').containerPort);
      assert.ok(Number(/idle_timeout\.timeout_seconds=(\d+)/.exec(alb('load-balancer-attributes'))[1]) > 30);
      assert.ok(Number(/deregistration_delay\.timeout_seconds=(\d+)/.exec(alb('target-group-attributes'))[1]) >=
        spec.terminationGracePeriodSeconds);
    });

    test('tells ingress-nginx how large a message may be', () => {
      const limit = (size) => annotationsOf({controller: 'nginx'}, {config: {...minimal.config, ...size && {'max-message-bytes': size}}})[
        'nginx.ingress.kubernetes.io/proxy-body-size'];
      const sizes = [undefined, '8Mi', '8 MiB', 123456, '2M', '512k'].map(limit);
      assert.deepEqual(sizes, ['4194304', '8388608', '8388608', '123456', '2097152', '524288']);
    });

    test('gives proxies time-outs of minutes, longer than a stream is silent', () => {
      for (const [heartbeat, seconds] of [[15, 90], [60, 240]]) {
        const config = {...minimal.config, 'heartbeat-seconds': heartbeat};
        const nginx = annotationsOf({controller: 'nginx'}, {config});
        assert.equal(nginx['nginx.ingress.kubernetes.io/proxy-read-timeout'], `${seconds}`);
        assert.equal(nginx['nginx.ingress.kubernetes.io/proxy-send-timeout'], `${seconds}`);
        const haproxy = annotationsOf({controller: 'haproxy'}, {config});
        assert.match(haproxy['haproxy.org/backend-config-snippet'], new RegExp(`^timeout server ${seconds}s$`, 'm'));
        const other = annotationsOf({controller: 'haproxy-ingress'}, {config});
        assert.equal(other['haproxy-ingress.github.io/timeout-server'], `${seconds}s`);
        const route = ofKind(render(major, {...minimal, config, openshiftRoute: {enabled: true}}), 'Route');
        assert.equal(route.metadata.annotations['haproxy.router.openshift.io/timeout'], `${seconds}s`);
      }
    });

    test('routes without an end of streams', () => {
      const route = (httpRoute) =>
        ofKind(render(major, {...minimal, httpRoute: {enabled: true, parentRefs: [{name: 'public'}], ...httpRoute}}), 'HTTPRoute').spec;
      const [rule] = route({}).rules;
      assert.deepEqual(rule.timeouts, {request: '0s', backendRequest: '0s'});
      assert.deepEqual(rule.matches, [{path: {type: 'PathPrefix', value: '/'}}]);
      assert.equal(route({timeouts: null}).rules[0].timeouts, undefined);
      const {parentRefs, hostnames, rules} = ofKind(rendered, 'HTTPRoute').spec;
      assert.deepEqual([parentRefs, hostnames], [outside.httpRoute.parentRefs, outside.httpRoute.hostnames]);
      assert.deepEqual(rules[0].matches[1], {path: outside.httpRoute.paths[1]});
      assert.deepEqual(rules[0].filters, outside.httpRoute.filters);
      assert.deepEqual(rules.slice(1), outside.httpRoute.extraRules);
    });

    test('makes a Route of OpenShift, with TLS at its edge unless told otherwise', () => {
      const {spec, metadata} = ofKind(rendered, 'Route');
      assert.deepEqual([spec.host, spec.path], ['c.example.com', '/push']);
      assert.deepEqual(spec.tls, {termination: 'edge', insecureEdgeTerminationPolicy: 'Redirect'});
      assert.equal(metadata.annotations['example.com/a'], 'b');
      assert.equal(ofKind(render(major, {...minimal, openshiftRoute: {enabled: true, tls: null}}), 'Route').spec.tls, undefined);
    });

    test('tells the gateway, the test and the publishers the path that it is at', () => {
      const basePath = (values) => settingsOf(render(major, {...minimal, ...values})).WEIR_BASE_PATH;
      const hosts = (...paths) => ({enabled: true, hosts: paths.map((path, i) => ({host: `${'abc'[i]}.example.com`, path}))});
      const httpRoute = {enabled: true, parentRefs: [{name: 'public'}]};
      assert.equal(basePath({}), undefined);
      assert.equal(basePath({basePath: '/a/b/'}), '/a/b');
      assert.equal(basePath({config: {...minimal.config, 'base-path': '/a'}}), '/a');
      assert.equal(basePath({config: {...minimal.config, 'base-path': '/a'}, basePath: '/'}), undefined);
      assert.equal(basePath({ingress: hosts('/push/', '/push')}), '/push');
      assert.equal(basePath({ingress: hosts('/push'), basePath: '/'}), undefined);
      assert.equal(basePath({ingress: {...hosts('/push/(.*)'), pathType: 'ImplementationSpecific'}}), undefined);
      assert.equal(basePath({ingress: {...hosts('/push'), annotations: {'haproxy.org/path-rewrite': '/'}}}), undefined);
      assert.equal(basePath({httpRoute: {...httpRoute, paths: ['/push']}}), '/push');
      const path = {type: 'ReplacePrefixMatch', replacePrefixMatch: '/'};
      assert.equal(basePath({httpRoute: {...httpRoute, paths: ['/push'], filters: [{type: 'URLRewrite', urlRewrite: {path}}]}}), undefined);
      assert.equal(basePath({openshiftRoute: {enabled: true, path: '/push'}}), '/push');
      const documents = render(major, {...memory, basePath: '/push'});
      const variables = podsOf(documents).flatMap(({spec}) => spec.containers).flatMap(({env}) => env ?? []);
      assert.ok(variables.some(({name, value}) => name === 'WEIR_TO' && value === 'http://r-weir:80/push'));
      assert.ok(ofKind(documents, 'Pod').spec.containers[0].env.some(({value}) => /\/push$/.test(value)), 'helm test');
    });

    const hosts = [{host: 'a.example.com', path: '/push'}, {host: 'b.example.com'}];
    const refused = {
      'paths of which the gateway can be at one alone': [{ingress: {enabled: true, hosts}}, /\/push and \/: say in basePath/],
      'a path that is none of the gateway': [{ingress: {enabled: true, hosts: [{host: 'a', path: '/a b'}]}}, /path/],
      'a path with an escape': [{ingress: {enabled: true, hosts: [{host: 'a', path: '/a%20b'}]}}, /basePath/],
      'a base path without a slash': [{basePath: 'push'}, /basePath/],
      'path and paths of one host': [{ingress: {enabled: true, hosts: [{host: 'a', path: '/', paths: ['/']}]}}, /hosts/],
      'an unknown type of path': [{ingress: {pathType: 'Regex'}}, /pathType/],
      'an HTTPRoute of no Gateway': [{httpRoute: {enabled: true}}, /parentRefs/],
      'a time-out that the Gateway API does not know': [{httpRoute: {timeouts: {request: '1.5s'}}}, /request/],
    };
    for (const [name, [values, why]] of Object.entries(refused)) {
      test(`refuses ${name}`, () => assert.match(refusal(major, {...minimal, ...values}) ?? 'rendered', why));
    }
  });
}

test('the type check knows a HTTPRoute and a Route', () => {
  const [route, openshift] = ['HTTPRoute', 'Route'].map((kind) => ofKind(render(majors[0], outside), kind));
  route.spec.rules[0].timeout = {};
  assert.match(typeErrors([route]).join('\n'), /timeout/);
  openshift.spec.to.kind = 'Services';
  assert.match(typeErrors([openshift]).join('\n'), /Services/);
});

test('the notes print URLs that work', () => {
  const text = notes(4, outside);
  for (const url of ['http://127.0.0.1:8080', 'http://a.example.com', 'https://events.example.com', 'https://c.example.com']) {
    assert.ok(text.includes(`curl -N ${url}/push/channels/hello`), `${url}\n${text}`);
  }
});
