import { hostOf, SYSTEM_NAMESPACE } from '@delos/core';
import type { Addresses } from '../host/addresses.ts';
import type { LeafRequest } from './pki.ts';

/** Name of a node's own certificate among those of all nodes. */
export const ofNode = (name: string, index: number): string => (index === 1 ? name : `${name}-${index}`);

/** A node's own certificates. All others are the cluster's. */
export function nodeCertificatesOf({ index, nodeName, nodeIp }: Addresses): readonly LeafRequest[] {
  const subject = { authority: 'ca', commonName: `system:node:${nodeName}`, organization: 'system:nodes' } as const;
  return [
    {
      ...subject,
      name: ofNode('kubelet-server', index),
      usages: ['server'],
      dns: [nodeName],
      ips: [nodeIp, '127.0.0.1'],
    },
    { ...subject, name: ofNode('kubelet', index), usages: ['client'] },
  ];
}

/** Every certificate of an embedded cluster with one node: whom it names and what it allows. */
export function certificatesOf(addresses: Addresses): readonly LeafRequest[] {
  const kubernetes = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  return [
    {
      name: 'apiserver',
      authority: 'ca',
      commonName: 'kube-apiserver',
      usages: ['server'],
      dns: [...kubernetes, hostOf('kubernetes', 'default'), 'localhost'],
      ips: ['127.0.0.1', addresses.nodeIp, addresses.apiServiceIp],
    },
    {
      name: 'apiserver-kubelet-client',
      authority: 'ca',
      commonName: 'kube-apiserver-kubelet-client',
      organization: 'delos:kubelet-api-admins',
      usages: ['client'],
    },
    { name: 'front-proxy-client', authority: 'front-proxy-ca', commonName: 'front-proxy-client', usages: ['client'] },
    {
      name: 'etcd-server',
      authority: 'etcd-ca',
      commonName: 'etcd',
      usages: ['server', 'client'],
      dns: ['localhost'],
      ips: ['127.0.0.1'],
    },
    { name: 'etcd-client', authority: 'etcd-ca', commonName: 'kube-apiserver', usages: ['client'] },
    ...nodeCertificatesOf(addresses),
    { name: 'admin', authority: 'ca', commonName: 'delos-admin', organization: 'system:masters', usages: ['client'] },
    // The node's supervisor may do everything: it applies the add-ons and patches node status.
    {
      name: 'supervisor',
      authority: 'ca',
      commonName: 'delos-supervisor',
      organization: 'system:masters',
      usages: ['client'],
    },
    { name: 'controller-manager', authority: 'ca', commonName: 'system:kube-controller-manager', usages: ['client'] },
    {
      name: 'controller-manager-server',
      authority: 'ca',
      commonName: 'kube-controller-manager',
      usages: ['server'],
      ips: ['127.0.0.1'],
    },
    { name: 'scheduler', authority: 'ca', commonName: 'system:kube-scheduler', usages: ['client'] },
    { name: 'scheduler-server', authority: 'ca', commonName: 'kube-scheduler', usages: ['server'], ips: ['127.0.0.1'] },
    { name: 'proxy', authority: 'ca', commonName: 'system:kube-proxy', usages: ['client'] },
    {
      name: 'metrics-server',
      authority: 'ca',
      commonName: 'metrics-server',
      usages: ['server'],
      dns: [`metrics-server.${SYSTEM_NAMESPACE}.svc`, hostOf('metrics-server', SYSTEM_NAMESPACE)],
    },
    { name: 'policy-agent', authority: 'ca', commonName: 'delos:policy-agent', usages: ['client'] },
    { name: 'disks', authority: 'ca', commonName: 'delos:disks', usages: ['client'] },
  ];
}
