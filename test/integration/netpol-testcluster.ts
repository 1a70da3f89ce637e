export const testCluster = async () => ({ kubeconfig: process.env.DELOS_TEST_KUBECONFIG ?? '' });
