"""The object in the Kubernetes API that says what all members agree on. Patroni keeps it; here it is made and read before
Patroni runs."""

import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SECONDS = 5


class Store:
    def __init__(self, namespace: str, scope: str, labels: dict) -> None:
        self._namespace = namespace
        self._name = f"{scope}-config"
        self._labels = labels

    def agree(self, wanted: dict) -> bool:
        """Lets `wanted` be the configuration of all members. Says whether there is a database already.

        May be done by several members at once: who comes second is told so by the API server, as an OSError.
        """
        found = self._call("GET", self._name)
        if found is None:
            self._call("POST", "", self._object({"config": json.dumps(wanted)}))
            return False
        annotations = found["metadata"].get("annotations") or {}
        if json.loads(annotations.get("config") or "{}") != wanted:
            body = self._object({"config": json.dumps(wanted)})
            body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
            self._call("PATCH", self._name, body)
        return bool(annotations.get("initialize"))

    def _object(self, annotations: dict) -> dict:
        return {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": self._name, "labels": self._labels, "annotations": annotations},
        }

    def _call(self, method: str, name: str, body: dict | None = None) -> dict | None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        if ":" in host:
            host = f"[{host}]"
        path = f"/api/v1/namespaces/{self._namespace}/endpoints/{name}".rstrip("/")
        request = urllib.request.Request(f"https://{host}:{port}{path}", method=method)
        request.add_header("Authorization", f"Bearer {(ACCOUNT / 'token').read_text()}")
        if body is not None:
            request.data = json.dumps(body).encode()
            patch = "application/merge-patch+json"
            request.add_header("Content-Type", patch if method == "PATCH" else "application/json")
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        # Never by a proxy, whatever the environment says.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404 and method == "GET":
                return None
            raise OSError(f"{method} {path}: {error.code} {error.read(300).decode(errors='replace')}") from error
