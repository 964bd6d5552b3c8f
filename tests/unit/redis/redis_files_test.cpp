#include "redis/redis_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/certificates.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class RedisFilesTest : public ::testing::Test {
 protected:
  RedisFilesTest() { std::filesystem::create_directories(folder_); }
  ~RedisFilesTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
    return folder_ + "/" + name;
  }
  static std::string error_of(const std::string& url, const RedisFiles& files) {
    const auto error = check_redis_files(*parse_redis_url(url), files);
    if (!error) return "no error";
    EXPECT_EQ(error->message.find('\n'), std::string::npos);
    EXPECT_THAT(error->message, Not(HasSubstr("secret")));
    return error->message;
  }
  std::string password_of(const std::string& content) const {
    const auto password =
        read_redis_password(*parse_redis_url("redis://h"), {.password = file("p", content)});
    return password ? *password : password.error().message;
  }

  const std::string folder_ = ::testing::TempDir() + "weir-redis-files-" + std::to_string(::getpid());
};

TEST_F(RedisFilesTest, TakesTheEndsOfLineOffAPassword) {
  EXPECT_EQ(password_of("secret"), "secret");
  EXPECT_EQ(password_of("secret\n"), "secret");
  EXPECT_EQ(password_of("secret\r\n\n"), "secret");
  EXPECT_EQ(password_of(" se cret \n"), " se cret ");
  EXPECT_EQ(password_of("two\nlines\n"), "two\nlines");
}

TEST_F(RedisFilesTest, TakesTheUrlsPasswordWithoutAFile) {
  EXPECT_EQ(*read_redis_password(*parse_redis_url("redis://a:s%65cret@h"), {}), "secret");
  EXPECT_EQ(*read_redis_password(*parse_redis_url("redis://h"), {}), "");
}

TEST_F(RedisFilesTest, RefusesAPasswordFileThatHoldsNone) {
  EXPECT_THAT(password_of("\n"), AllOf(StartsWith("redis-password-file = "), HasSubstr("empty")));
  EXPECT_THAT(password_of(std::string(4'097, 'x')), HasSubstr("is longer than 4 KiB"));
  EXPECT_EQ(password_of(std::string(4'096, 'x')).size(), 4'096u);
  EXPECT_THAT(error_of("redis://h", {.password = folder_ + "/none"}), HasSubstr("No such file"));
  EXPECT_THAT(error_of("redis://h", {.password = folder_}), HasSubstr("is no regular file"));
}

TEST_F(RedisFilesTest, TakesThePasswordFromOnePlaceOnly) {
  const RedisFiles files{.password = file("p", "secret")};
  EXPECT_EQ(error_of("redis://h", files), "no error");
  EXPECT_EQ(error_of("redis://app@h", files), "no error");
  EXPECT_EQ(error_of("redis://app:@h", {}), "no error");  // A user that needs none (nopass).
  for (const char* url :
       {"redis://:secret@h", "redis://app:secret@h", "redis://app:@h", "unix://:secret@/s"}) {
    EXPECT_THAT(error_of(url, files),
                AllOf(StartsWith("redis-password-file = "), HasSubstr("leave out one")));
  }
  EXPECT_THAT(error_of("redis://secret@h", {}), HasSubstr("user without a password"));
}

TEST_F(RedisFilesTest, AsksForTlsWhereFilesAreForTls) {
  CertificateAuthority ca;
  const auto ours = ca.issue("DNS:weir");
  for (const char* url : {"redis://h", "unix:///s"}) {
    EXPECT_THAT(error_of(url, {.ca = ca.file()}), AllOf(StartsWith("redis-ca-file"), HasSubstr("rediss://")));
    EXPECT_THAT(error_of(url, {.certificate = ours.certificate, .key = ours.key}), HasSubstr("rediss://"));
  }
  EXPECT_EQ(error_of("rediss://h", {}), "no error");
  EXPECT_EQ(error_of("rediss://h", {.ca = ca.file()}), "no error");
  EXPECT_EQ(error_of("rediss://h", {.ca = ca.file(), .certificate = ours.certificate, .key = ours.key}),
            "no error");
}

TEST_F(RedisFilesTest, NamesTheFileThatCannotBeUsed) {
  CertificateAuthority ca;
  const auto ours = ca.issue("DNS:weir");
  const auto others = ca.issue("DNS:other");
  const std::string text = file("text", "secret\n");
  EXPECT_THAT(error_of("rediss://h", {.ca = folder_ + "/none"}),
              AllOf(StartsWith("redis-ca-file = "), HasSubstr("No such file")));
  EXPECT_THAT(error_of("rediss://h", {.ca = text}), HasSubstr("no certificates in PEM"));
  EXPECT_THAT(error_of("rediss://h", {.certificate = ours.certificate}), HasSubstr("needs a redis-key-file"));
  EXPECT_THAT(error_of("rediss://h", {.key = ours.key}), HasSubstr("needs a redis-certificate-file"));
  EXPECT_THAT(error_of("rediss://h", {.certificate = text, .key = ours.key}),
              AllOf(StartsWith("redis-certificate-file"), HasSubstr("no certificate in PEM")));
  EXPECT_THAT(error_of("rediss://h", {.certificate = ours.certificate, .key = text}),
              AllOf(StartsWith("redis-key-file"), HasSubstr("no private key in PEM")));
  EXPECT_THAT(error_of("rediss://h", {.certificate = ours.certificate, .key = folder_ + "/none"}),
              AllOf(StartsWith("redis-key-file"), HasSubstr("No such file")));
  EXPECT_THAT(error_of("rediss://h", {.certificate = ours.certificate, .key = others.key}),
              AllOf(StartsWith("redis-key-file"), HasSubstr("not the key of the certificate")));
}

}  // namespace
}  // namespace weir
