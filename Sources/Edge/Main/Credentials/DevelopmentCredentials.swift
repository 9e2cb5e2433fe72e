// SPDX-License-Identifier: Apache-2.0

import Crypto
import EdgeControl
import EdgeTunnels

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What `--dev` makes up for the run, unless the configuration names it.
struct DevelopmentCredentials: Sendable {
    /// The keys of the run.
    let set: CredentialSet
    /// The API key to show; `nil` if there is one already that whoever started the edge knows.
    let apiKey: String?

    /// Adds what is missing.
    init(completing set: CredentialSet) {
        var set = set
        var apiKey: String?
        if set.apiKeys.isEmpty {
            let key = APIKey.generate()
            set.apiKeys = [APIKeyRecord(name: "dev", role: .admin, sha256: Hexadecimal.encode(APIKey.hash(key)))]
            apiKey = key
        }
        if set.signingKeys.isEmpty {
            set.signingKeys = [Self.signingKey(for: set, isKeyMadeUp: apiKey != nil)]
        }
        self.set = set
        self.apiKey = apiKey
    }

    /// A key that was made up lasts for the run, and so do its tunnels' tokens.
    ///
    /// Whoever names a key means to use it again: the signing key then follows from it, so that tokens outlive a
    /// restart of the edge.
    private static func signingKey(for set: CredentialSet, isKeyMadeUp: Bool) -> SigningKey {
        guard !isKeyMadeUp else { return SigningKey.generate(kid: "dev") }
        let hashes = set.apiKeys.map(\.sha256).sorted().joined(separator: ",")
        let derived = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(hashes.utf8)),
            info: Data("culvert development signing key".utf8),
            outputByteCount: 32
        )
        return SigningKey(kid: "dev", secret: derived.withUnsafeBytes { Data($0) }.base64EncodedString())
    }

    /// What to print once the edge listens: the credentials, once, with the command to paste.
    func greeting(_ addresses: EdgeAddresses) -> String {
        // A public URL may lead here only once something is in front of the edge. A certificate is for the URL's name, and
        // with a host for the API there is none at other hosts.
        let url = addresses.localURL.hasPrefix("https:") ? addresses.publicURL : addresses.localURL
        let edge = addresses.apiURL ?? url
        let visitors =
            addresses.isHere
            ? "" : "  Visitors \(addresses.publicURL), which has to lead to \(addresses.listen)\n"
        return """
            culvert-edge listens on \(addresses.localURL) (development: nothing is kept)

              API key  \(self.apiKey ?? "(the configured one)")
              Try      CULVERT_EDGE=\(edge) CULVERT_API_KEY=\(self.apiKey ?? "...") culvert http 3000
            \(visitors)  Health   http://\(addresses.admin)/readyz


            """
    }
}
