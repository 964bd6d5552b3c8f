#include "broker/auth/key_set.h"

#include <algorithm>
#include <utility>

#include "broker/auth/base64url.h"
#include "broker/base/json.h"

namespace weir {
namespace {

// The text of a member; empty if it is missing or not a text.
std::string text_of(const Json& jwk, std::string_view name) {
  const Json* member = jwk.find(name);
  return member == nullptr ? std::string() : member->text;
}

// The bytes of a member in base64url; empty, which no key accepts, if there are none.
std::string bytes_of(const Json& jwk, std::string_view name) {
  return decode_base64url(text_of(jwk, name)).value_or(std::string());
}

std::optional<Algorithm> algorithm_of(const Json& jwk) {
  const std::string kind = text_of(jwk, "kty");
  const std::string curve = text_of(jwk, "crv");
  if (kind == "oct") return Algorithm::kHs256;
  if (kind == "RSA") return Algorithm::kRs256;
  if (kind == "EC" && curve == "P-256") return Algorithm::kEs256;
  if (kind == "OKP" && curve == "Ed25519") return Algorithm::kEdDsa;
  return std::nullopt;
}

// True for a signature key of the one algorithm that keys of its kind have here.
bool is_ours(const Json& jwk, Algorithm algorithm) {
  const std::string use = text_of(jwk, "use");
  const Json* named = jwk.find("alg");
  if (!use.empty() && use != "sig") return false;
  return named == nullptr || parse_algorithm(named->text) == algorithm;
}

Result<Key> key_of(const Json& jwk, Algorithm algorithm) {
  if (algorithm != Algorithm::kHs256 && jwk.find("d") != nullptr)
    return Error{"is a private key; the gateway needs the public part alone"};
  switch (algorithm) {
    case Algorithm::kHs256:
      return Key::from_secret(bytes_of(jwk, "k"));
    case Algorithm::kRs256:
      return Key::from_rsa(bytes_of(jwk, "n"), bytes_of(jwk, "e"));
    case Algorithm::kEs256:
      return Key::from_p256(bytes_of(jwk, "x"), bytes_of(jwk, "y"));
    case Algorithm::kEdDsa:
      break;
  }
  return Key::from_ed25519(bytes_of(jwk, "x"));
}

}  // namespace

bool KeySet::add(Key key, std::optional<std::string> id) {
  if (entries_.size() == kKeysMax) return false;
  entries_.push_back({std::move(key), std::move(id)});
  return true;
}

std::optional<Error> KeySet::add_jwks(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return json.error();
  const Json* keys = json->find("keys");
  if (keys == nullptr || !keys->is(Json::Kind::kArray))
    return Error{"is no JWK set: it has no array \"keys\""};
  const std::size_t size_before = entries_.size();
  std::size_t number = 0;
  for (const Json& jwk : keys->values) {
    const std::string place = "key " + std::to_string(++number) + " ";
    if (!jwk.is(Json::Kind::kObject)) return Error{place + "is no object"};
    const auto algorithm = algorithm_of(jwk);
    if (!algorithm || !is_ours(jwk, *algorithm)) continue;
    const Json* id = jwk.find("kid");
    if (id != nullptr && !id->is(Json::Kind::kText)) return Error{place + "has a kid that is no text"};
    auto key = key_of(jwk, *algorithm);
    if (!key) return Error{place + key.error().message};
    if (!add(std::move(*key), id == nullptr ? std::nullopt : std::optional(id->text)))
      return Error{"has too many keys: at most " + std::to_string(kKeysMax) + " are used"};
  }
  if (entries_.size() == size_before)
    return Error{"has no key for HS256, RS256, ES256 (P-256) or EdDSA (Ed25519)"};
  return std::nullopt;
}

bool KeySet::has(Algorithm algorithm) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [algorithm](const Entry& entry) { return entry.key.algorithm() == algorithm; });
}

bool KeySet::verifies(Algorithm algorithm, const std::optional<std::string>& key_id, std::string_view text,
                      std::string_view signature) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    const bool is_meant = !key_id || !entry.id || *entry.id == *key_id;
    return entry.key.algorithm() == algorithm && is_meant && entry.key.verifies(text, signature);
  });
}

}  // namespace weir
