// Certificates of a test's own: a CA and what it signs, in a folder that goes away with it.
//
// Threads: one at a time. Failures throw std::runtime_error, which fails the test.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace weir {

class CertificateAuthority {
 public:
  // Paths of PEM files.
  struct Issued {
    std::string certificate;
    std::string key;
  };

  CertificateAuthority();
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  // The CA's own certificate.
  const std::string& file() const { return file_; }
  // `names` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1". What is expired was valid until yesterday.
  Issued issue(const std::string& names, bool is_expired = false);

 private:
  struct Identity;

  std::filesystem::path folder_;
  std::unique_ptr<Identity> ca_;
  std::string file_;
  int issued_ = 0;
};

}  // namespace weir
