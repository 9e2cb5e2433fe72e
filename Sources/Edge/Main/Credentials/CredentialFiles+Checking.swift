// SPDX-License-Identifier: Apache-2.0

import EdgeControl
import EdgeTunnels
import NIOSSL
import Program

extension CredentialFiles {
    /// Reads what a configuration names, and reports everything that is wrong with it.
    ///
    /// - Parameters:
    ///   - configuration: The configuration.
    ///   - isReload: Whether the edge runs already, and may be left without any valid API key.
    ///   - reader: Where problems are reported, under the setting that names the file.
    /// - Returns: The credentials; not to be used if there are problems.
    static func check(
        _ configuration: EdgeConfiguration,
        isReload: Bool,
        _ reader: inout SettingsReader
    ) -> CredentialSet {
        var set = CredentialSet(apiKeys: [], signingKeys: [])
        let credentials = configuration.credentials
        if let path = credentials.apiKeysFile, let file = self.read(APIKeyFile.self, at: path, "api", &reader) {
            set.apiKeys = file.keys
            for error in APIKeyStore.errors(in: file.keys) {
                reader.report("auth.api-keys-file", "\(ShownPath.text(path)): \(error)")
            }
            let isValidKeyThere = credentials.apiKey != nil || file.keys.contains { $0.revoked != true }
            if !isValidKeyThere, !isReload, !configuration.isDevelopment {
                reader.report(
                    "auth.api-keys-file",
                    "\(ShownPath.text(path)): no API key is valid: culvert-edge credentials new makes one"
                )
            }
        }
        if let key = credentials.apiKey {
            let hash = Hexadecimal.encode(APIKey.hash(key))
            set.apiKeys.append(APIKeyRecord(name: "environment", role: .admin, sha256: hash))
        }
        if let path = credentials.signingKeysFile,
            let file = self.read(SigningKeyFile.self, at: path, "signing", &reader)
        {
            set.signingKeys = file.keys
            for error in TunnelTokens.errors(in: file.keys) {
                reader.report("auth.signing-keys-file", "\(ShownPath.text(path)): \(error)")
            }
        }
        if let secret = credentials.signingKey {
            set.signingKeys.append(SigningKey(kid: "environment", secret: secret))
        }
        do {
            if let path = configuration.privateKeyFile { try self.checkPrivate(path) }
        } catch {
            reader.report("tls.key", "\(error)")
        }
        var isThere = true
        for (key, path) in [
            ("tls.certificate", configuration.certificateFile), ("tls.key", configuration.privateKeyFile),
        ] {
            guard let path, FileFault.of(path) != nil else { continue }
            reader.report(key, "\(ShownPath.text(path)): \(self.fault(path))")
            isThere = false
        }
        do {
            if isThere { _ = try ListenerTLS.context(configuration) }
        } catch let failure as Failure where failure.path == configuration.privateKeyFile {
            reader.report("tls.key", "\(failure)")
        } catch {
            reader.report("tls.certificate", "\(error)")
        }
        self.checkLinks(configuration.cluster, &reader)
        for (key, path) in [
            ("cluster.redis.password-file", configuration.cluster.redisPasswordFile),
            ("cluster.redis.sentinel-password-file", configuration.cluster.sentinelPasswordFile),
        ] {
            do {
                if let path { _ = try self.password(at: path) }
            } catch {
                reader.report(key, "\(error)")
            }
        }
        if let path = configuration.cluster.redisCAFile,
            (try? NIOSSLCertificate.fromPEMFile(path))?.isEmpty ?? true
        {
            let message = FileFault.of(path) == nil ? "there is no certificate in it" : self.fault(path)
            reader.report("cluster.redis.ca", "\(ShownPath.text(path)): \(message)")
        }
        do {
            if let path = configuration.inbox.keyFile { _ = try self.sealingKeys(at: path) }
        } catch {
            reader.report("inbox.key-file", "\(error)")
        }
        return set
    }

    private static func checkLinks(_ cluster: EdgeConfiguration.Cluster, _ reader: inout SettingsReader) {
        let files = cluster.tlsFiles
        func setting(of path: String) -> String {
            files.first { $0.path == path }?.setting ?? "cluster.tls.certificate"
        }
        do {
            for case (_, let path?) in files where FileFault.of(path) != nil {
                throw Failure(path: path, message: self.fault(path))
            }
            if let path = cluster.privateKeyFile { try self.checkPrivate(path) }
            _ = try LinkTLS.reloaded(cluster)
        } catch let failure as Failure {
            reader.report(setting(of: failure.path), "\(failure)")
        } catch {
            reader.report("cluster.tls.certificate", "\(error)")
        }
    }

    private static func read<File: CredentialFile>(
        _ type: File.Type,
        at path: String,
        _ kind: String,
        _ reader: inout SettingsReader
    ) -> File? {
        do {
            return try self.read(type, at: path)
        } catch {
            reader.report("auth.\(kind)-keys-file", "\(error)")
            return nil
        }
    }
}
