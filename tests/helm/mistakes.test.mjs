// What the gateway, Kubernetes or Prometheus would refuse later is refused when the chart is rendered, in a sentence.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {majors, refusal, render} from './helm.mjs';
import {minimal} from './values.mjs';

const mistakes = {
  'an origin without a scheme': [{config: {'cors-origin': ['app.example.com']}}, /"app\.example\.com" is no origin/],
  'an origin with a path': [{config: {'cors-origin': 'https://a.example,https://b.example/'}}, /"https:\/\/b\.example\/" is no origin/],
  'an audience without keys': [{config: {'jwt-audience': 'x'}}, /jwt-audience needs keys/],
  'requests beyond the limit': [{resources: {requests: {memory: '3Gi'}, limits: {memory: '2Gi'}}}, /requests\.memory \(3Gi\) is more than/],
  'an update that could replace no pod': [{strategy: {rollingUpdate: {maxSurge: 0}}}, /no pod could ever be replaced/],
  'a variable of the chart': [{extraEnv: [{name: 'WEIR_REDIS_URL', value: 'redis://r'}]}, /WEIR_REDIS_URL is set by the chart/],
  'an address of the chart': [{extraEnv: [{name: 'WEIR_LISTEN', value: ':80'}]}, /WEIR_LISTEN is set by the chart/],
  'keys that are nowhere': [{config: {'jwks-file': '/mnt/keys/jwks.json'}, extraVolumeMounts: [{name: 'k', mountPath: '/mnt/key'}]}, /under no extraVolumeMounts/],
  'a number for a time': [{prometheusRule: {enabled: true, thresholds: {redisDownFor: 5}}}, /redisDownFor: 5 is to be a time such as/],
  'a time for a number': [{prometheusRule: {enabled: true, thresholds: {clientsShare: '5m'}}}, /clientsShare: 5m is to be a number such as/],
  'no upper limit of pods': [{autoscaling: {enabled: true, maxReplicas: null}}, /maxReplicas is not set/],
  'metrics of the other autoscaler': [
    {autoscaling: {enabled: true, metrics: [{type: 'External'}], keda: {enabled: true, serverAddress: 'http://p'}}}, /autoscaling\.metrics are the Horizontal/],
};
const tls = {...minimal, redis: {url: 'redis://r', caSecret: {name: 'ca'}}};

// A gateway's config beside that of `minimal`.
const beside = (values) => ({...minimal, ...values, config: {...minimal.config, ...values.config}});
const one = (documents, kind, name) => documents.find((each) => each.kind === kind && each.metadata.name === name);

for (const major of majors) {
  describe(`helm ${major} refuses`, () => {
    for (const [name, [values, words]] of Object.entries(mistakes)) {
      it(name, () => assert.match(refusal(major, beside(values)) ?? 'nothing', words));
    }
    it('certificates without TLS', () => assert.match(refusal(major, tls) ?? 'nothing', /redis\.url begins with rediss/));
  });

  describe(`helm ${major} renders`, () => {
    it('an update without a surge', () => {
      const gateway = one(render(major, beside({strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}})), 'Deployment', 'r-weir');
      assert.deepEqual(gateway.spec.strategy.rollingUpdate, {maxSurge: 0, maxUnavailable: 1});
    });

    it('keys of a volume of the user', () => {
      render(major, beside({
        config: {'jwks-file': '/mnt/keys/jwks.json'}, extraVolumes: [{name: 'k', emptyDir: {}}], extraVolumeMounts: [{name: 'k', mountPath: '/mnt/keys'}],
      }));
    });

    it('a base path only where the gateway would not be found without', () => {
      const basePath = (ingress) => {
        const hosts = [{host: 'a.example', ...ingress}];
        return one(render(major, beside({ingress: {enabled: true, hosts}})), 'ConfigMap', 'r-weir').data.WEIR_BASE_PATH;
      };
      assert.equal(basePath({path: '/push'}), '/push');
      assert.equal(basePath({path: '/events'}), '/events');
      assert.equal(basePath({paths: ['/channels', '/events']}), undefined);
      assert.equal(basePath({path: '/channels'}), undefined);
      assert.equal(basePath({path: '/events', pathType: 'Exact'}), undefined);
    });

    it('rules for its own gateways alone', () => {
      const rule = (release) => JSON.stringify(one(render(major, beside({prometheusRule: {enabled: true}}), release), 'PrometheusRule', release));
      const pattern = (release) => new RegExp(`^(?:${rule(release).match(/pod=~\\"([^\\]*)\\"/)[1]})$`);
      assert.match('weir-6d4cf56db6-abcde', pattern('weir'));
      for (const other of ['weir-b-6d4cf56db6-abcde', 'weir-valkey-6d4cf56db6-abcde', 'weir-0']) assert.doesNotMatch(other, pattern('weir'));
      // Kubernetes cuts the name at 58 characters.
      const long = `${'a'.repeat(48)}-weir`;
      assert.match(`${`${long}-6d4cf56db6-`.slice(0, 58)}abcde`, pattern(long));
    });

    it('a scaler that takes no answer for no clients', () => {
      const keda = {enabled: true, serverAddress: 'http://p'};
      const scaler = one(render(major, beside({autoscaling: {enabled: true, keda}})), 'ScaledObject', 'r-weir');
      assert.equal(scaler.spec.triggers[0].metadata.ignoreNullValues, 'false');
      render(major, beside({autoscaling: {enabled: true, keda: null}}));
    });
  });
}
