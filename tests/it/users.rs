//! Callers that are known by the user who owns their socket.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::proxied::{Proxied, with_origin};
use crate::stage::{Stage, curl};
use crate::tokens::WHO;

/// A user who is nobody's on this machine; only root can run a program as it.
const USER: u32 = 64_123;

/// A Pod that runs as a user, with a service account of its own.
fn pod(name: &str, user: u32) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  serviceAccountName: {name}\n  securityContext: \
         {{runAsUser: {user}}}\n  containers: [{{name: main, image: none}}]\n"
    )
}

/// The workload of a call that curl makes as a user.
fn caller(scene: &Stage, proxy: &Proxied, user: Option<u32>, path: &str) -> String {
    let mut command = Command::new(curl().expect("looked for before"));
    command.args(["-sS", "--max-time", "30", "-o", "/dev/null", &format!("http://a.example/{path}")]);
    command.env("http_proxy", format!("http://{}", proxy.address)).env_remove("no_proxy").current_dir("/");
    if let Some(user) = user {
        command.uid(user);
    }
    assert!(command.status().expect("curl runs").success());
    let entry = scene.wait_for_entry(&format!("\"path\":\"/{path}\""));
    entry.split("\"workload\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a field").to_owned()
}

#[test]
fn the_user_who_owns_the_socket_is_the_workload_that_runs_as_it() {
    let Some(_) = curl() else { return };
    let own = own_user();
    let (user, as_user) = if own == 0 { (USER, Some(USER)) } else { (own, None) };
    let (scene, _origin) = with_origin(&format!("{WHO}{}", pod("batch", user)));
    let proxy = Proxied::shared(&scene, &["--identify-users"]);
    assert_eq!(caller(&scene, &proxy, as_user, "known"), "batch");
    if own == 0 {
        assert_eq!(caller(&scene, &proxy, None, "root"), "-", "root can be anybody, and so is nobody");
    }
    let plain = Proxied::shared(&scene, &["--node", "plain"]);
    assert_eq!(caller(&scene, &plain, as_user, "plain"), "-", "nobody has asked for it");
    let (scene, _origin) = with_origin(&format!("{WHO}{}{}", pod("batch", user), pod("other", user)));
    let proxy = Proxied::shared(&scene, &["--identify-users"]);
    assert_eq!(caller(&scene, &proxy, as_user, "several"), "-", "two workloads run as the user");
}

fn own_user() -> u32 {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}
