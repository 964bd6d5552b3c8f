// What tests ask rendered documents for.
export const ofKind = (documents, kind) => documents.find((document) => document.kind === kind);
export const allOf = (documents, kind) => documents.filter((document) => document.kind === kind);

// The template of the gateway's pods, and its container.
export const gatewayPod = (documents) => allOf(documents, 'Deployment')
  .find(({spec}) => spec.selector.matchLabels['app.kubernetes.io/component'] === 'gateway').spec.template;
export const gateway = (documents) => gatewayPod(documents).spec.containers.find(({name}) => name === 'weir-broker');

// All pods: those of Deployments, and the test's.
export const podsOf = (documents) => documents.flatMap((document) =>
  document.kind === 'Pod' ? [document] : document.kind === 'Deployment' ? [document.spec.template] : []);
