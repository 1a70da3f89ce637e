/** PEM: an X.509 certificate and its PKCS #8 private key. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** How certificates are made and judged; loaded when a certificate is due, for it takes a moment. */
export interface CertificateAuthority {
  /** True when the certificate is to be made anew now. */
  isDue(certificate: string, now: Date): boolean;
  /** True within the certificate's time. */
  isValid(certificate: string, now: Date): boolean;
  /** True when this authority's key has signed the certificate. */
  isSignedBy(certificate: string, authority: string): boolean;
  createCa(now: Date): Promise<Pair>;
  createLeaf(
    ca: Pair,
    names: { dnsNames: readonly string[]; ipAddresses: readonly string[] },
    now: Date,
  ): Promise<Pair>;
}
