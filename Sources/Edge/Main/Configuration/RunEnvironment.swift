// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels

/// Where an edge runs: a label of every log line and metric, and what decides how strict the configuration is.
enum RunEnvironment: String, CaseIterable, SettingValue {
    /// On the machine of the person who tries it.
    case local
    /// With others, where a mistake costs nothing.
    case sandbox
    /// Where visitors are strangers.
    case production
}

extension EdgeConfiguration {
    /// What is allowed elsewhere and is a mistake in production.
    ///
    /// - Returns: The settings that have to change, each with what is wrong with it.
    func productionProblems() -> [(key: String, message: String)] {
        guard self.environment == .production else { return [] }
        var problems: [(key: String, message: String)] = []
        if self.isDevelopment {
            problems.append(
                ("environment", "--dev is for trying things out: production needs credentials that are kept")
            )
        }
        if self.publicURL?.hasPrefix("https://") != true {
            problems.append(
                (
                    "public.url",
                    "in production the URL has to be set and to begin with https: keys and tokens travel on it"
                )
            )
        }
        if self.credentials.apiKey != nil {
            problems.append(
                (
                    "auth.api-key",
                    "in production API keys have names, roles and second factors: list them in auth.api-keys-file"
                )
            )
        }
        if self.http.trustedProxies.contains(where: { $0.prefixLength == 0 }) {
            problems.append(
                (
                    "proxies.trusted",
                    "a network of everybody lets every visitor claim any address: name your proxy's network"
                )
            )
        }
        return problems
    }
}
