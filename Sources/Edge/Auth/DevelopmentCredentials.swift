// SPDX-License-Identifier: Apache-2.0

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
            set.signingKeys = [SigningKey.generate(kid: "dev")]
        }
        self.set = set
        self.apiKey = apiKey
    }

    /// What to print once the edge listens: the credentials, once, with the command to paste.
    func greeting(_ addresses: EdgeServer.Addresses) -> String {
        """
        culvert-edge listens on \(addresses.publicURL) (development: nothing is kept)

          API key  \(self.apiKey ?? "(the configured one)")
          Try      CULVERT_EDGE=\(addresses.publicURL) CULVERT_API_KEY=\(self.apiKey ?? "...") culvert http 3000
          Health   http://\(addresses.admin)/readyz


        """
    }
}
