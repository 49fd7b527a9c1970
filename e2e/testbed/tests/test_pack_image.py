"""Tests of pack-image: python3 -m unittest discover e2e/testbed/tests"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "pack-image"


class PackImage(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.base = self.folder / "base.tar"
        with tarfile.open(self.base, "w") as archive:
            entry = tarfile.TarInfo("etc/hello")
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"hello"))

    def pack(self, *arguments, name="example:1"):
        output = self.folder / "image.tar"
        command = [str(PROGRAM), "--name", name, "--output", str(output), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True)
        return result, output

    def image(self, *arguments, **more):
        """The archive's index, manifest, config, and its files by name."""
        result, output = self.pack(*arguments, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        with tarfile.open(output) as archive:
            files = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
        index = json.loads(files["index.json"])
        manifest = json.loads(self.blob(files, index["manifests"][0]))
        config = json.loads(self.blob(files, manifest["config"]))
        return index, manifest, config, files

    def blob(self, files, descriptor):
        """A blob, after a look at its digest and size."""
        content = files["blobs/" + descriptor["digest"].replace(":", "/")]
        self.assertEqual(descriptor["digest"], "sha256:" + hashlib.sha256(content).hexdigest())
        self.assertEqual(descriptor["size"], len(content))
        return content

    def test_settings_reach_the_config(self):
        *_, config, _ = self.image(
            "--base", self.base, "--entrypoint", '["/a", "b"]', "--cmd", '["c"]', "--user", "9999",
            "--env", "K=V=W", "--workdir", "/w", "--label", "l=m",
        )
        self.assertEqual(
            config["config"],
            {"Entrypoint": ["/a", "b"], "Cmd": ["c"], "User": "9999", "Env": ["K=V=W"], "WorkingDir": "/w",
             "Labels": {"l": "m"}},
        )

    def test_layers_are_stacked_in_order_and_match_their_digests(self):
        directory = self.folder / "tree"
        (directory / "bin").mkdir(parents=True)
        (directory / "bin" / "tool").write_text("x")
        (directory / "link").symlink_to("bin")
        _, manifest, config, files = self.image("--base", self.base, "--layer", directory, "--file", f"{PROGRAM}=/opt/x/pack")
        layers = [self.blob(files, descriptor) for descriptor in manifest["layers"]]
        self.assertEqual(layers[0], self.base.read_bytes())
        names = [tarfile.open(fileobj=io.BytesIO(layer)).getnames() for layer in layers]
        self.assertEqual(names, [["etc/hello"], ["link", "bin", "bin/tool"], ["opt", "opt/x", "opt/x/pack"]])
        self.assertEqual(config["rootfs"]["diff_ids"], [layer["digest"] for layer in manifest["layers"]])

    def test_compressed_layer_keeps_its_bytes_and_names_its_content(self):
        packed = self.folder / "base.tar.gz"
        packed.write_bytes(gzip.compress(self.base.read_bytes()))
        _, manifest, config, files = self.image("--base", packed)
        self.assertTrue(manifest["layers"][0]["mediaType"].endswith("+gzip"))
        self.assertEqual(self.blob(files, manifest["layers"][0]), packed.read_bytes())
        content = hashlib.sha256(self.base.read_bytes()).hexdigest()
        self.assertEqual(config["rootfs"]["diff_ids"], [f"sha256:{content}"])

    def test_same_input_same_bytes(self):
        directory = self.folder / "tree"
        directory.mkdir()
        (directory / "file").write_text("x")
        _, output = self.pack("--base", self.base, "--layer", directory)
        first = output.read_bytes()
        os.utime(directory / "file", (1, 1))
        self.pack("--base", self.base, "--layer", directory)
        self.assertEqual(output.read_bytes(), first)

    def test_short_names_are_spelled_out(self):
        for short, full in {
            "a": "docker.io/library/a:latest",
            "a:1": "docker.io/library/a:1",
            "me/a:1": "docker.io/me/a:1",
            "localhost/a:1": "localhost/a:1",
            "host:5000/a": "host:5000/a:latest",
            "ghcr.io/o/a:1": "ghcr.io/o/a:1",
        }.items():
            index, *_ = self.image("--base", self.base, name=short)
            annotations = index["manifests"][0]["annotations"]
            self.assertEqual(annotations["io.containerd.image.name"], full)
            self.assertEqual(annotations["org.opencontainers.image.ref.name"], full.rsplit(":", 1)[1])

    def test_wrong_use_leaves_no_output(self):
        for arguments in (
            [],
            ["--base", self.folder / "missing.tar"],
            ["--base", self.base, "--cmd", '"text"'],
            ["--base", self.base, "--env", "novalue"],
            ["--base", self.base, "--file", "x=relative"],
        ):
            result, output = self.pack(*arguments)
            self.assertNotEqual(result.returncode, 0, arguments)
            self.assertNotIn("Traceback", result.stderr)
            self.assertEqual(sorted(self.folder.iterdir()), [self.base])


if __name__ == "__main__":
    unittest.main()
