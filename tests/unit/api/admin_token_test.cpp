// The token of the admin side, over real sockets.
#include "broker/api/admin_token.h"

#include "broker/base/logging.h"
#include "tests/support/http_fixture.h"
#include "tests/unit/auth/auth_fixture.h"

namespace weir {
namespace {

class AdminTokens : public HttpTest {
 protected:
  Response ask_admin(const std::string& method, const std::string& target, const std::string& headers = "",
                     const std::string& body = "") {
    HttpClient client = connect_admin();
    client.send(
        request(method, target, headers + "Content-Length: " + std::to_string(body.size()) + "\r\n", body));
    return client.response(method != "HEAD");
  }
};

TEST_F(AdminTokens, NamesChannelsOffLoopbackOnlyForAToken) {
  const LogLevel before = log_level();
  config.admin_listen = "0.0.0.0:0";
  for (const char* path : {"/healthz", "/readyz", "/healthz/redis", "/metrics", "/log-level"}) {
    EXPECT_EQ(ask_admin("GET", path).status, 200) << path;
  }
  const Response channels = ask_admin("GET", "/channels");
  EXPECT_EQ(channels.status, 403);
  EXPECT_NE(channels.body.find("--admin-token-file"), std::string::npos) << channels.body;
  EXPECT_EQ(ask_admin("PUT", "/log-level", "", "off").status, 403);
  EXPECT_EQ(log_level(), before);
}

TEST_F(AdminTokens, AsksForItsToken) {
  const LogLevel before = log_level();
  const KeyFolder folder;
  config.admin_listen = "0.0.0.0:0";
  config.admin_token_file = folder.write("token", "first-token-0123456789\n");
  const std::string right = "Authorization: Bearer first-token-0123456789\r\n";
  EXPECT_EQ(ask_admin("GET", "/channels", right).status, 200);
  EXPECT_EQ(ask_admin("PUT", "/log-level", right, log_level_name(before)).status, 200);
  EXPECT_EQ(ask_admin("GET", "/readyz").status, 200);
  const Response missing = ask_admin("GET", "/channels");
  EXPECT_EQ(missing.status, 401);
  EXPECT_EQ(missing.header("www-authenticate"), "Bearer realm=\"weir\"");
  for (const char* wrong :
       {"Authorization: Bearer first-token-012345678\r\n", "Authorization: Bearer \r\n",
        "Authorization: Bearer first-token-0123456780\r\n", "Authorization: Basic first-token-0123456789\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer first-token-0123456789\r\n"}) {
    EXPECT_EQ(ask_admin("GET", "/channels", wrong).status, 401) << wrong;
    EXPECT_EQ(ask_admin("PUT", "/log-level", wrong, "off").status, 401) << wrong;
  }
  EXPECT_EQ(ask_admin("GET", "/channels?access_token=first-token-0123456789").status, 401);
  EXPECT_EQ(log_level(), before);

  folder.write("token", "second-token-0123456789");
  EXPECT_EQ(ask_admin("GET", "/channels", right).status, 401);
  EXPECT_EQ(ask_admin("GET", "/channels", "Authorization: Bearer second-token-0123456789\r\n").status, 200);
  folder.write("token", "short");
  EXPECT_EQ(ask_admin("GET", "/channels", right).status, 503);
}

TEST_F(AdminTokens, AsksForItsTokenOnLoopbackToo) {
  const KeyFolder folder;
  config.admin_token_file = folder.write("token", "first-token-0123456789");
  EXPECT_EQ(ask_admin("GET", "/channels").status, 401);
}

TEST(AdminTokenFile, SaysWhyItIsNoToken) {
  const KeyFolder folder;
  for (const std::string text :
       {"", "fifteen-letters", "sixteen letters..", "sixteen-letters\t.", "sixteen-lett\xc3\xa9rs"}) {
    const std::string path = folder.write("token", text);
    const auto token = read_admin_token(path);
    ASSERT_FALSE(token) << text;
    EXPECT_EQ(token.error().message,
              "\"" + path + "\": must hold 16 to 1024 printable ASCII characters, no spaces");
  }
  EXPECT_EQ(*read_admin_token(folder.write("token", std::string(1'024, 'x') + "\r\n")),
            std::string(1'024, 'x'));
  EXPECT_FALSE(read_admin_token(folder.write("token", std::string(1'025, 'x'))));
  EXPECT_FALSE(read_admin_token("/nowhere/token"));
}

}  // namespace
}  // namespace weir
