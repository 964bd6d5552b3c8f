// What can be added to the chart's objects and pods, and what is left out on request.
import assert from 'node:assert/strict';
import {describe, test} from 'node:test';
import {allOf, gateway, gatewayPod, ofKind, podsOf} from './documents.mjs';
import {majors, refusal, render, renderAround, renderUmbrella} from './helm.mjs';
import {typeErrors} from './kubernetes_types.mjs';
import {everything, minimal, options, valkey} from './values.mjs';

// Values that render each pod of the chart: the gateway, Valkey, publishers, the test and whatever else there is by then.
const everyPod = {...valkey, imagePullSecrets: options.imagePullSecrets, away: {enabled: true}};

for (const major of majors) {
  describe(`helm ${major}`, () => {
    const rendered = render(major, options);

    test('renders nothing when it is not enabled', () => {
      assert.deepEqual(render(major, {...everything, enabled: false}), []);
      assert.deepEqual(render(major, {enabled: false}), []);
    });

    test('is a part of an umbrella chart, which switches it on and off and says what all charts share', () => {
      assert.deepEqual(renderUmbrella(major, {weir: {enabled: false}}), []);
      const documents = renderUmbrella(major, {global: {imageRegistry: 'example.com', other: 1}, weir: {...minimal, enabled: true}});
      assert.match(gateway(documents).image, /^example\.com\/weir:/);
    });

    test('lends its log publisher as it runs its own, before the application where that is asked for', () => {
      const lend = (options) => renderAround(
          major, `apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  containers: [{name: app, image: a}]\n  initContainers:\n` +
            `    {{- include "weir.logSidecar" (dict "root" .Subcharts.weir "channel" "a" "file" "/logs/a.log" ${options}) | nindent 4 }}\n` +
            `  volumes:\n    {{- include "weir.logSidecarVolumes" .Subcharts.weir | nindent 4 }}\n`,
          {...minimal, securityContext: {privileged: false}, publishers: {resources: {limits: {memory: '1Gi'}}}},
          {global: {imageRegistry: 'example.com'}});
      const [plain, [pod]] = [lend(''), lend('"restartPolicy" "Always"')];
      const [container] = pod.spec.initContainers;
      assert.deepEqual(typeErrors([pod]), []);
      assert.equal(container.restartPolicy, 'Always');
      assert.equal(plain[0].spec.initContainers[0].restartPolicy, undefined);
      assert.match(container.image, /^example\.com\/weir:/);
      assert.equal(container.securityContext.privileged, false);
      assert.equal(container.securityContext.readOnlyRootFilesystem, true);
      assert.equal(container.resources.limits.memory, '1Gi');
    });

    test('puts every object into the namespace that is named, with the common labels and annotations', () => {
      assert.ok(rendered.length > 6);
      for (const {kind, metadata} of rendered) {
        assert.equal(metadata.namespace, /Monitor|Rule/.test(kind) ? 'monitoring' : 'events', kind);
        assert.equal(metadata.labels.team, 'web', kind);
        assert.equal(metadata.annotations['example.com/owner'], 'web', kind);
      }
      assert.equal(gatewayPod(rendered).metadata.labels.team, 'web');
      for (const {kind, metadata} of render(major, valkey)) assert.equal(metadata.namespace, 'ns', kind);
    });

    test('does not select by the common labels', () => {
      for (const {spec} of allOf(rendered, 'Deployment')) assert.ok(!('team' in spec.selector.matchLabels));
    });

    test('adds to the container and the pod of the gateway', () => {
      const {spec} = gatewayPod(rendered);
      const container = gateway(rendered);
      assert.deepEqual(container.env.at(-1), options.extraEnv[0]);
      assert.equal(container.env[0].name, 'WEIR_REDIS_URL');
      assert.deepEqual(container.envFrom.at(-1), options.extraEnvFrom[0]);
      assert.deepEqual(container.volumeMounts.at(-1), options.extraVolumeMounts[0]);
      assert.deepEqual(spec.volumes.at(-1), options.extraVolumes[0]);
      assert.deepEqual(spec.containers.at(-1), options.extraContainers[0]);
      assert.deepEqual(spec.initContainers, options.initContainers);
    });

    test('adds volumes and variables where there are none', () => {
      const {extraEnv, extraVolumes, extraVolumeMounts} = options;
      const documents = render(major, {...minimal, bus: 'memory', redis: {}, extraEnv, extraVolumes, extraVolumeMounts});
      assert.deepEqual(gatewayPod(documents).spec.volumes, extraVolumes);
      assert.deepEqual(gateway(documents).volumeMounts, extraVolumeMounts);
      assert.deepEqual(gateway(documents).env, extraEnv);
    });

    test('places every pod, and pulls its image, as it is told', () => {
      const {nodeSelector, tolerations, priorityClassName, runtimeClassName, dnsConfig, hostAliases, affinity} = options;
      const pods = podsOf(render(major, {
        ...everyPod, global: {imagePullSecrets: ['shared', {name: 'registry'}]},
        nodeSelector, tolerations, priorityClassName, runtimeClassName, dnsConfig, hostAliases, affinity,
      }));
      assert.ok(pods.length >= 6);
      for (const {spec, metadata} of pods) {
        const isGateway = metadata.labels['app.kubernetes.io/component'] === 'gateway';
        assert.deepEqual(spec.imagePullSecrets, [{name: 'shared'}, {name: 'registry'}]);
        assert.deepEqual(
            {...spec.affinity, podAntiAffinity: undefined}, {nodeAffinity: affinity.nodeAffinity, podAntiAffinity: undefined});
        assert.equal('podAntiAffinity' in spec.affinity, isGateway);
        const {nodeSelector: a, tolerations: b, priorityClassName: c, runtimeClassName: d, dnsConfig: e, hostAliases: f} = spec;
        assert.deepEqual([a, b, c, d, e, f], [nodeSelector, tolerations, priorityClassName, runtimeClassName, dnsConfig, hostAliases]);
      }
    });

    test('takes every image from one registry', () => {
      const values = {...everyPod, global: {imageRegistry: 'registry.example.com:5000'}};
      values.publishers = {...valkey.publishers, log: {enabled: true, image: 'team/app:1'}};
      const images = podsOf(render(major, values)).flatMap(({spec}) => spec.containers).map(({image}) => image);
      for (const image of images) assert.match(image, /^registry\.example\.com:5000\/(weir|valkey\/valkey|team\/app):[\w.]+$/);
      assert.equal(new Set(images).size, 3);
    });

    test('names its image by registry, tag and digest', () => {
      const digest = `sha256:${'0'.repeat(64)}`;
      const name = (image) => gateway(render(major, {...minimal, image: {repository: 'team/weir', ...image}})).image;
      assert.equal(name({digest}), `team/weir@${digest}`);
      assert.equal(name({digest, tag: '1'}), `team/weir:1@${digest}`);
      assert.equal(name({registry: 'example.com', tag: '1'}), 'example.com/team/weir:1');
    });

    test('lays security contexts over the safe ones', () => {
      const documents = render(major, {
        ...minimal,
        podSecurityContext: {runAsUser: 1000, runAsGroup: null, supplementalGroups: [3000]},
        securityContext: {readOnlyRootFilesystem: false, capabilities: {add: ['NET_BIND_SERVICE']}},
      });
      assert.deepEqual(gatewayPod(documents).spec.securityContext, {
        runAsNonRoot: true, runAsUser: 1000, fsGroup: 65532, supplementalGroups: [3000], seccompProfile: {type: 'RuntimeDefault'},
      });
      assert.deepEqual(gateway(documents).securityContext, {
        allowPrivilegeEscalation: false, readOnlyRootFilesystem: false, capabilities: {drop: ['ALL'], add: ['NET_BIND_SERVICE']},
      });
    });

    test('leaves users to OpenShift where it is one, or is said to be', () => {
      const users = (openshift, ...args) => podsOf(render(major, {...everyPod, openshift}, 'r', ...args))
        .flatMap(({spec: {securityContext: {runAsUser, runAsGroup, fsGroup}}}) => [runAsUser, runAsGroup, fsGroup])
        .filter((id) => id !== undefined).length;
      const api = ['--api-versions', 'security.openshift.io/v1'];
      for (const none of [users('on'), users(true), users('auto', ...api)]) assert.equal(none, 0);
      for (const all of [users('off', ...api), users(false, ...api), users('auto')]) assert.ok(all >= 18);
      assert.equal(gatewayPod(render(major, {...minimal, openshift: 'on'})).spec.securityContext.runAsNonRoot, true);
    });

    test('spreads the gateways over nodes unless it is told otherwise', () => {
      const spread = (topologySpreadConstraints) =>
        gatewayPod(render(major, {...minimal, topologySpreadConstraints})).spec.topologySpreadConstraints;
      assert.equal(spread([])[0].topologyKey, 'kubernetes.io/hostname');
      assert.equal(spread(false), undefined);
      assert.equal(spread(everything.topologySpreadConstraints)[0].topologyKey, 'topology.kubernetes.io/zone');
    });

    test('gives the Service what a load balancer asks for', () => {
      const {metadata, spec} = allOf(rendered, 'Service').find(({spec: {type}}) => type === 'LoadBalancer');
      const {type, port, labels, annotations, nodePort, ...rest} = options.service;
      assert.equal(spec.ports[0].nodePort, nodePort);
      assert.equal(metadata.labels['example.com/tier'], labels['example.com/tier']);
      for (const [name, value] of Object.entries(rest)) assert.deepEqual(spec[name], value, name);
      const plain = ofKind(render(major), 'Service').spec;
      assert.deepEqual(Object.keys(plain).sort(), ['ports', 'selector', 'type']);
    });

    const refused = {
      'a digest that is none': [{image: {digest: 'sha256:1'}}, /digest/],
      'a node port of a Service that has none': [{service: {nodePort: 30080}}, /nodePort/],
      'a traffic policy of a Service that is not reached from outside': [{service: {externalTrafficPolicy: 'Local'}}, /externalTrafficPolicy/],
      'a load balancer\'s sources of a NodePort': [
        {service: {type: 'NodePort', loadBalancerSourceRanges: ['10.0.0.0/8']}}, /loadBalancerSourceRanges/],
      'a variable without a name': [{extraEnv: [{value: 'a'}]}, /extraEnv/],
      'a common label that selects': [{commonLabels: {'app.kubernetes.io/name': 'x'}}, /commonLabels/],
      'an unknown answer to whether it is OpenShift': [{openshift: 'maybe'}, /openshift/],
    };
    for (const [name, [values, why]] of Object.entries(refused)) {
      test(`refuses ${name}`, () => assert.match(refusal(major, {...minimal, ...values}) ?? 'rendered', why));
    }
  });
}
