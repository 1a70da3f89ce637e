import {
  AGENT_BINDING,
  AGENT_PROJECT_ROLE,
  AGENT_ROLE,
  AUDIT_LABEL,
  AUTHORITIES_KEY,
  AUTHORITIES_NAME,
  ENFORCE_LABEL,
  type FileVolumeSource,
  JOB_SECRET_KEY,
  JOB_SECRET_PATTERN,
  MANAGED_BY,
  NAMESPACE_NAME_LABEL,
  ORG_LABEL,
  PROJECT_LABEL,
  PULL_SECRET_PREFIX,
  READABLE_LENGTH,
} from '@delos/core';
import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { PART_OF, PRIORITY_CLASSES } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import { FILES_CLAIM, volumeRules } from './volume-policy.ts';

export interface AgentPolicyProps {
  /** Namespace of the agent's account. */
  readonly namespace: Namespace;
  readonly serviceAccount: string;
  /** Namespaces in which the agent may set Pod Security to `privileged`. */
  readonly privilegedNamespaces: readonly string[];
  /** What volumes of projects' files are made of; undefined: it makes none. */
  readonly files: FileVolumeSource | undefined;
}

const API_VERSION = 'admissionregistration.k8s.io/v1';
const ALL = ['*'];

/**
 * Admission's side of the agent's rights: of what RBAC can only allow in every namespace, that which belongs into a
 * project's. All that the agent writes, in any resource, is held to it, so that a right granted by mistake is of no use
 * elsewhere. Needs Kubernetes 1.30.
 *
 * @see https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export class AgentPolicy extends Construct {
  constructor(scope: Construct, id: string, props: AgentPolicyProps) {
    super(scope, id);
    const metadata = { name: AGENT_ROLE, labels: { ...PART_OF } };
    const user = `system:serviceaccount:${props.namespace.name}:${props.serviceAccount}`;
    const policy = new ApiObject(this, 'rules', {
      apiVersion: API_VERSION,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [{ apiGroups: ALL, apiVersions: ALL, operations: ALL, resources: ['*/*'], scope: '*' }],
          // Questions about itself: they change nothing.
          excludeResourceRules: ['authentication.k8s.io', 'authorization.k8s.io'].map((group) => ({
            ...{ apiGroups: [group], apiVersions: ALL, operations: ALL, resources: ALL, scope: '*' },
          })),
        },
        matchConditions: [{ name: 'agent', expression: `request.userInfo.username == ${text(user)}` }],
        variables: Object.entries(variables(props)).map(([name, expression]) => ({ name, expression })),
        validations: [...validations(user), ...volumeRules(props.files)].map((validation) => ({
          ...validation,
          reason: 'Forbidden',
        })),
      },
    });
    const binding = new ApiObject(this, 'binding', {
      apiVersion: API_VERSION,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: AGENT_ROLE, validationActions: ['Deny'] },
    });
    binding.addDependency(policy);
  }
}

/** A string of CEL. */
const text = (value: string): string => JSON.stringify(value);
const list = (values: readonly string[]): string => JSON.stringify(values);

/** Metadata that an object of the agent's has when it is made. The API server fills in some of it. */
const CREATED = ['name', 'namespace', 'labels', 'uid', 'creationTimestamp', 'generation', 'managedFields'];
/** Metadata that differs after a change of the agent's. Labels have rules of their own; the API server keeps the rest. */
const CHANGED = ['labels', 'generation', 'managedFields', 'resourceVersion'];

/** An expression that is true where two maps differ in these keys at most. */
function same(made: string, before: string, keys: readonly string[]): string {
  const free = list(keys);
  return [
    `${made}.all(key, key in ${free} || key in ${before} && ${made}[key] == ${before}[key])`,
    `${before}.all(key, key in ${free} || key in ${made})`,
  ].join(' && ');
}

/** In the order in which they build on each other. */
function variables(props: AgentPolicyProps): Readonly<Record<string, string>> {
  const fixed = { ...MANAGED_BY };
  return {
    isSubresource: 'has(request.subResource) && request.subResource != ""',
    isNamespace: 'request.resource.group == "" && request.resource.resource == "namespaces"',
    // As it is before the write, except where there is none yet.
    space: 'variables.isNamespace ? (oldObject == null ? object : oldObject) : dyn(namespaceObject)',
    labels: 'variables.space != null && has(variables.space.metadata.labels) ? variables.space.metadata.labels : {}',
    org: `${text(ORG_LABEL)} in variables.labels ? variables.labels[${text(ORG_LABEL)}] : ""`,
    project: `${text(PROJECT_LABEL)} in variables.labels ? variables.labels[${text(PROJECT_LABEL)}] : ""`,
    managed: Object.entries(fixed)
      .map(([key, value]) => `${text(key)} in variables.labels && variables.labels[${text(key)}] == ${text(value)}`)
      .join(' && '),
    name: 'variables.space != null ? variables.space.metadata.name : ""',
    wellFormed: 'variables.name.matches("^job-[a-z0-9-]+-[0-9a-f]{8}$")',
    // core/src/project-namespace.ts: what is readable of the name is organization and project, or their beginning.
    readable: 'variables.wellFormed ? variables.name.substring(0, size(variables.name) - 9) : ""',
    whole: '"job-" + variables.org + "-" + variables.project',
    named: `variables.wellFormed && variables.whole.startsWith(variables.readable) && (variables.readable == variables.whole || size(variables.whole) > ${READABLE_LENGTH})`,
    isProject: 'variables.managed && variables.org != "" && variables.project != "" && variables.named',
    // Both empty where the request brings no object: a deletion, a stream.
    meta: 'object != null && has(object.metadata) ? dyn(object.metadata) : dyn({})',
    metaBefore: 'oldObject != null && has(oldObject.metadata) ? dyn(oldObject.metadata) : dyn({})',
    made: 'variables.isNamespace && object != null && has(object.metadata.labels) ? object.metadata.labels : {}',
    before:
      'variables.isNamespace && oldObject != null && has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}',
    own: list([...Object.keys(fixed), ...[ORG_LABEL, PROJECT_LABEL, ENFORCE_LABEL, AUDIT_LABEL, NAMESPACE_NAME_LABEL]]),
    mutable: list([ENFORCE_LABEL, AUDIT_LABEL]),
    level: `${text(ENFORCE_LABEL)} in variables.made ? variables.made[${text(ENFORCE_LABEL)}] : ""`,
    // Typed also where it is empty.
    privileged: `variables.name in ${list(['', ...props.privilegedNamespaces])} && variables.name != ""`,
    isBinding:
      'request.resource.group == "rbac.authorization.k8s.io" && request.resource.resource == "rolebindings" && object != null',
    isPod:
      'request.resource.group == "" && request.resource.resource == "pods" && !variables.isSubresource && object != null',
    isPolicy:
      'request.resource.group == "networking.k8s.io" && request.resource.resource == "networkpolicies" && object != null',
    isClaim: 'request.resource.group == "" && request.resource.resource == "persistentvolumeclaims" && object != null',
    isVolume:
      'request.resource.group == "" && request.resource.resource == "persistentvolumes" && !variables.isSubresource',
    isSecret: 'request.resource.group == "" && request.resource.resource == "secrets" && object != null',
    isJobSecret: `variables.isSecret && object.metadata.name.matches(${text(JOB_SECRET_PATTERN)})`,
    isService: 'request.resource.group == "" && request.resource.resource == "services" && object != null',
    isConfigMap: 'request.resource.group == "" && request.resource.resource == "configmaps" && object != null',
    changes: 'request.operation == "UPDATE" && object != null && oldObject != null',
    isFilesClaim: FILES_CLAIM,
  };
}

interface Validation {
  readonly expression: string;
  readonly message: string;
}

function validations(user: string): readonly Validation[] {
  const [, , namespace = '', account = ''] = user.split(':');
  const jobClasses = [PRIORITY_CLASSES.low, PRIORITY_CLASSES.normal, PRIORITY_CLASSES.high];
  return [
    {
      expression: 'variables.isProject || variables.isVolume',
      message: 'the agent acts in the namespaces of projects alone',
    },
    {
      expression: '!variables.isNamespace || request.operation in ["CREATE", "UPDATE"] && !variables.isSubresource',
      message: 'the agent makes namespaces and labels them, nothing else',
    },
    {
      expression:
        '!variables.isNamespace || variables.made.all(key, key in variables.before ? key in variables.mutable || variables.made[key] == variables.before[key] : key in (oldObject == null ? variables.own : variables.mutable)) && variables.before.all(key, key in variables.made)',
      message: 'the agent sets the labels of a project once; later it changes the level of Pod Security alone',
    },
    {
      // No owner, no finalizer, no time of deletion: each of these deletes an object, or keeps one from being deleted. The API
      // server itself gives a claim the one finalizer that keeps it while a Pod has it.
      expression: `variables.changes || variables.meta.all(key, key in ${list(CREATED)} || variables.isPod && key == "annotations" || variables.isJobSecret && key == "ownerReferences" || variables.isClaim && key == "finalizers" && variables.meta.finalizers == ["kubernetes.io/pvc-protection"] || variables.isVolume && key == "finalizers" && variables.meta.finalizers == ["kubernetes.io/pv-protection"])`,
      message: 'the agent makes objects with a name and labels, Pods with annotations too, and with no other metadata',
    },
    {
      expression: `!variables.changes || (${same('variables.meta', 'variables.metaBefore', CHANGED)})`,
      message: 'the agent changes only the labels of an object’s metadata',
    },
    {
      expression: `!variables.changes || (${same('object', 'oldObject', ['metadata', 'spec'])}) || (variables.isSecret || variables.isConfigMap) && (${same('object', 'oldObject', ['metadata', 'data'])})`,
      message:
        'the agent changes only metadata and specification of an object, and the data of a Secret and of a ConfigMap',
    },
    {
      expression: `!(variables.changes && variables.isPod) || (${same('object.spec', 'oldObject.spec', ['activeDeadlineSeconds'])})`,
      message: 'the agent changes only the deadline of a Pod',
    },
    {
      expression:
        '!(variables.changes && variables.isPod) || (has(object.metadata.labels) ? object.metadata.labels : {}) == (has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})',
      message: 'the agent changes no label of a Pod',
    },
    {
      expression: `!(variables.isBinding || variables.isPolicy || variables.isSecret || variables.isConfigMap || variables.isService) || has(object.metadata.labels) && object.metadata.labels == ${JSON.stringify(MANAGED_BY)}`,
      message:
        'the agent labels its bindings, network policies, Secrets, ConfigMaps and Services as managed by Delos, and in no other way',
    },
    {
      expression:
        '!(variables.isNamespace && object != null) || !has(object.spec) || object.spec.all(key, key == "finalizers" && object.spec.finalizers == ["kubernetes"])',
      message: 'the agent gives a namespace no finalizer',
    },
    {
      expression:
        '!variables.isNamespace || variables.level in ["baseline", "restricted"] || variables.level == "privileged" && variables.privileged',
      message: 'Pod Security is baseline or restricted, or privileged where the project may run privileged jobs',
    },
    {
      expression: [
        `!variables.isBinding || object.metadata.name == ${text(AGENT_BINDING)}`,
        `object.roleRef.kind == "ClusterRole" && object.roleRef.name == ${text(AGENT_PROJECT_ROLE)}`,
        `has(object.subjects) && object.subjects.all(s, s.kind == "ServiceAccount" && s.name == ${text(account)} && s.namespace == ${text(namespace)})`,
      ].join(' && '),
      message: `the agent binds itself to ${AGENT_PROJECT_ROLE}, nobody else and to nothing else`,
    },
    {
      // Of another type it could be a token, of another name somebody else's.
      expression: [
        `!variables.isSecret || variables.isJobSecret || object.metadata.name.matches(${text(`^${PULL_SECRET_PREFIX}[0-9a-f]{16}$`)})`,
        'object.type == "kubernetes.io/dockerconfigjson"',
        '!has(object.immutable)',
        'has(object.data) && object.data.all(key, key == ".dockerconfigjson")',
      ].join(' && '),
      message: 'the agent makes Secrets to pull images by and those of jobs, and no others',
    },
    {
      // Owned by its job's Pod alone, it goes with that; nothing else is deleted by an owner that is not there.
      expression: [
        '!variables.isJobSecret || !variables.changes',
        'has(object.immutable) && object.immutable',
        `object.type == (object.metadata.name.endsWith("-pull") ? "kubernetes.io/dockerconfigjson" : "Opaque")`,
        `has(object.data) && object.data.all(key, key == (object.metadata.name.endsWith("-pull") ? ".dockerconfigjson" : ${text(JOB_SECRET_KEY)}))`,
        'has(object.metadata.ownerReferences) && size(object.metadata.ownerReferences) == 1',
        'object.metadata.ownerReferences.all(owner, owner.apiVersion == "v1" && owner.kind == "Pod" && object.metadata.name.startsWith(owner.name + "-r") && size(owner.name) == 40 && !has(owner.controller) && !has(owner.blockOwnerDeletion))',
      ].join(' && '),
      message: 'a Secret of a job has one value for ever, and belongs to the job’s Pod',
    },
    {
      expression: [
        `!variables.isConfigMap || object.metadata.name == ${text(AUTHORITIES_NAME)}`,
        '!has(object.immutable) && !has(object.binaryData)',
        `has(object.data) && object.data.all(key, key == ${text(AUTHORITIES_KEY)})`,
      ].join(' && '),
      message: 'the agent makes the ConfigMap of certificate authorities, and no other',
    },
    {
      // With an address or ports of its own, or other Pods behind it, it could stand where another part is looked for.
      expression: [
        '!variables.isService || object.metadata.name == variables.project',
        'object.spec.type == "ClusterIP" && has(object.spec.clusterIP) && object.spec.clusterIP == "None"',
        '!has(object.spec.ports) && !has(object.spec.externalIPs) && !has(object.spec.externalName)',
        `has(object.spec.selector) && ${text(PROJECT_LABEL)} in object.spec.selector && object.spec.selector[${text(PROJECT_LABEL)}] == variables.project`,
      ].join(' && '),
      message: 'the agent makes the Service that gives the jobs of a project their names, and no other',
    },
    {
      // A volume by its name, or one that is filled from elsewhere, may be somebody else's.
      expression:
        '!variables.isClaim || variables.isFilesClaim || !variables.changes && object.spec.all(key, key in ["accessModes", "resources", "storageClassName", "volumeMode"]) && object.spec.accessModes == ["ReadWriteOnce"] && (!has(object.spec.volumeMode) || object.spec.volumeMode == "Filesystem")',
      message: 'the agent claims new, empty volumes for disks, and changes none',
    },
    {
      expression: [
        `!variables.isPod || object.spec.priorityClassName in ${list(jobClasses)}`,
        'object.spec.serviceAccountName == "default"',
        '(has(object.spec.automountServiceAccountToken) && object.spec.automountServiceAccountToken == false)',
      ].join(' && '),
      message: 'a job has the priority of a job, and no Kubernetes token',
    },
  ];
}
