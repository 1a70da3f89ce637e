/** PEM: an X.509 certificate and its PKCS #8 private key. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** How certificates are made and judged; loaded when a certificate is due, for it takes a moment. */
export interface CertificateAuthority {
  /** True when the certificate is to be made anew now. */
  isDue(certificate: string, now: Date): boolean;
  createCa(now: Date): Promise<Pair>;
  createLeaf(
    ca: Pair,
    names: { dnsNames: readonly string[]; ipAddresses: readonly string[] },
    now: Date,
  ): Promise<Pair>;
}
