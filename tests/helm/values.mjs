// The combinations of values that the tests render; the golden files are named after them.

// The least that a user has to say.
export const minimal = {
  redis: {url: 'redis://:secret@redis:6379'},
  config: {'anonymous-subscribe': ['*']},
};

// One of everything that goes together.
export const everything = {
  ...minimal,
  redis: {
    url: 'rediss://app@redis:6380', passwordSecret: {name: 'redis-login', key: 'password'}, caSecret: {name: 'redis-ca', key: 'ca.crt'},
    certificateSecret: 'redis-client',
  },
  image: {repository: 'example.com/team/weir', tag: '1.2.3', pullPolicy: 'Always'},
  imagePullSecrets: [{name: 'registry'}],
  replicaCount: 3,
  config: {
    'anonymous-subscribe': ['news.*', 'user:*'],
    'anonymous-publish': ['demo'],
    'redis-prefix': 'app:',
    'history-bytes': 4194304,
    'drain-seconds': 90,
    'log-format': 'json',
    'console': 'off',
    'jwt-secret-file': '/etc/weir/keys/jwt-secret',
    'jwt-audience': 'weir',
  },
  channels: [
    {'match': 'price.*', 'slow-client': 'latest', 'history-messages': 0},
    {'match': 'log:*', 'queue-bytes': 67108864},
  ],
  keys: {files: {'jwt-secret': 'a text of more than thirty-two bytes'}},
  service: {type: 'LoadBalancer', port: 8080, annotations: {'example.com/a': 'b'}},
  ingress: {
    enabled: true, className: 'nginx', controller: 'nginx', annotations: {'cert-manager.io/cluster-issuer': 'letsencrypt'},
    hosts: [{host: 'events.example.com'}, {host: 'app.example.com', path: '/events/'}],
    tls: [{secretName: 'events-tls', hosts: ['events.example.com', 'app.example.com']}],
  },
  podDisruptionBudget: {enabled: true, maxUnavailable: '25%'},
  networkPolicy: {
    enabled: true, redisPort: 6380,
    from: [{namespaceSelector: {matchLabels: {'kubernetes.io/metadata.name': 'ingress'}}}],
    adminFrom: [{namespaceSelector: {matchLabels: {'kubernetes.io/metadata.name': 'monitoring'}}}],
  },
  away: {replicaCount: 3},
  serviceAccount: {create: true, name: 'gateway', annotations: {'example.com/role': 'x'}},
  serviceMonitor: {enabled: true, interval: '30s', labels: {release: 'prometheus'}},
  prometheusRule: {enabled: true, labels: {release: 'prometheus'}},
  dashboard: {enabled: true},
  publishers: {demo: {enabled: true}, log: {enabled: true, channel: 'machine', flags: ['--json']}},
  preStopSeconds: 8,
  podAnnotations: {'example.com/note': 'true'},
  podLabels: {team: 'web'},
  nodeSelector: {'kubernetes.io/arch': 'amd64'},
  tolerations: [{key: 'dedicated', operator: 'Exists', effect: 'NoSchedule'}],
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
    {matchExpressions: [{key: 'a', operator: 'In', values: ['b']}]},
  ]}}},
  topologySpreadConstraints: [{
    maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: {matchLabels: {'app.kubernetes.io/name': 'weir'}},
  }],
  priorityClassName: 'high',
};

// What a user has who says nothing.
export const trial = {};

// On a cluster with nothing else there.
export const valkey = {
  config: {'anonymous-subscribe': ['*'], 'anonymous-publish': ['*']},
  valkey: {enabled: true},
  publishers: {demo: {enabled: true}, log: {enabled: true}},
  networkPolicy: {enabled: true},
};

export const memory = {...minimal, redis: {}, bus: 'memory', publishers: {demo: {enabled: true}}};

// A release of many pods, with Secrets of the user's own.
export const scaled = {
  redis: {existingSecret: {name: 'mine', key: 'url'}},
  config: {'jwks-file': '/etc/weir/keys/jwks.json'},
  keys: {existingSecret: 'my-keys'},
  autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 20, clientsPerPod: 15000},
  ingress: {enabled: true, className: 'haproxy', controller: 'haproxy', hosts: [{host: 'events.example.com'}]},
  serviceAccount: {create: false},
};

export const combinations = {minimal, everything, trial, valkey, memory, scaled};
