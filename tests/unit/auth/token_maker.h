// Makes keys and tokens, good and bad ones, with OpenSSL alone: nothing of it is shared with what is tested.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;

namespace weir {

std::string encode_base64url(std::string_view bytes);

// A private key, or a secret.
class Signer {
 public:
  static Signer secret(std::string bytes);
  static Signer rsa(int bits = 2048);
  static Signer rsa_pss();
  static Signer ec(const char* curve = "P-256");
  static Signer ed25519();

  // In the form that tokens have: ES256 as two numbers of 32 bytes.
  std::string sign(std::string_view text) const;
  // As OpenSSL made it: ES256 in DER.
  std::string sign_raw(std::string_view text) const;
  // -----BEGIN PUBLIC KEY-----, and its private counterpart.
  std::string public_pem() const;
  std::string private_pem() const;
  // The public key (of "oct" the secret) as a JSON object; `members` such as R"("kid":"a",)" come first.
  std::string jwk(const std::string& members = "") const;

 private:
  explicit Signer(evp_pkey_st* key);
  std::string number(const char* name) const;
  std::string octets(const char* name) const;

  std::string secret_;
  std::shared_ptr<evp_pkey_st> key_;
};

// The three parts from JSON texts: "<header>.<payload>.<signature>".
std::string make_token(const Signer& signer, std::string_view header, std::string_view payload);

}  // namespace weir
