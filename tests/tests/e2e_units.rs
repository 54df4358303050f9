//! `track_restarts`: a service that is restarted too often moves the addresses. The bus is a real dbus-daemon on a host of
//! the lab; what answers there for systemd is played, for `vm_systemd` has the real one.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use vrrp_tests::lab::{Daemon, Duo, Host, Program, Settings, Side, peer_command, root_or_skip, until};
use zbus::object_server::InterfaceRef;
use zbus::{Connection, OwnedObjectPath, connection, fdo};

const LIMIT: Duration = Duration::from_secs(20);
const SOCKET: &str = "/run/dbus/system_bus_socket";
const PATH: &str = "/org/freedesktop/systemd1/unit/flaky_2eservice";
const NOWHERE: &str = "/org/freedesktop/systemd1/unit/nowhere_2eservice";

/// Everybody may everything: the lab's root is alone there.
const POLICY: &str = r#"<busconfig>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_type="method_call"/> <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/> <allow receive_type="method_return"/>
    <allow receive_type="error"/> <allow receive_type="signal"/>
  </policy>
</busconfig>
"#;

struct Manager {
    /// Who has subscribed.
    subscribers: Arc<AtomicU32>,
}

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    fn subscribe(&self) {
        self.subscribers.fetch_add(1, Ordering::SeqCst);
    }

    fn load_unit(&self, name: &str) -> fdo::Result<OwnedObjectPath> {
        let path = match name {
            "flaky.service" => PATH,
            "nowhere.service" => NOWHERE,
            other => return Err(fdo::Error::Failed(format!("asked for {other}"))),
        };
        Ok(OwnedObjectPath::try_from(path).expect("a path"))
    }
}

struct Unit {
    load: &'static str,
    active: Arc<Mutex<&'static str>>,
}

#[zbus::interface(name = "org.freedesktop.systemd1.Unit")]
impl Unit {
    #[zbus(property)]
    fn load_state(&self) -> &str {
        self.load
    }

    #[zbus(property)]
    fn active_state(&self) -> String {
        self.active.lock().expect("its state").to_string()
    }
}

struct Service {
    restarts: u32,
}

#[zbus::interface(name = "org.freedesktop.systemd1.Service")]
impl Service {
    #[zbus(property, name = "NRestarts")]
    fn restarts(&self) -> u32 {
        self.restarts
    }
}

/// A bus on a host, and what plays systemd on it.
struct Bus {
    child: Child,
    runtime: Runtime,
    service: InterfaceRef<Service>,
    unit: InterfaceRef<Unit>,
    active: Arc<Mutex<&'static str>>,
    subscribers: Arc<AtomicU32>,
    _connection: Connection,
}

impl Bus {
    /// `restarts`: of the unit so far.
    fn start(host: &Host, restarts: u32) -> Self {
        host.install("/run/dbus.conf", POLICY, 0o644).expect("its policy");
        host.run("mkdir", &["-p", "/run/dbus"]).expect("its folder");
        host.run("rm", &["-f", SOCKET]).expect("an old socket");
        let child = peer_command(host, "bin/dbus-daemon")
            .expect("dbus-daemon")
            .args(["--config-file=/run/dbus.conf", "--nofork", "--nopidfile"])
            .stdin(Stdio::null())
            .spawn()
            .expect("starting dbus-daemon");
        until("the bus listens", LIMIT, || {
            Ok(host.run("test", &["-S", SOCKET]).is_ok())
        })
        .expect("its socket");
        let address = format!("unix:path=/proc/{}/root{SOCKET}", child.id());
        let subscribers = Arc::<AtomicU32>::default();
        let active = Arc::new(Mutex::new("active"));
        let manager = Manager {
            subscribers: Arc::clone(&subscribers),
        };
        let unit = |load| Unit {
            load,
            active: Arc::clone(&active),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let build = async {
            let connection = connection::Builder::address(address.as_str())
                .serve_at("/org/freedesktop/systemd1", manager)
                .serve_at(PATH, unit("loaded"))
                .serve_at(PATH, Service { restarts })
                .serve_at(NOWHERE, unit("not-found"))
                .serve_at(NOWHERE, Service { restarts: 0 })
                .name("org.freedesktop.systemd1")
                .build()
                .await?;
            let server = connection.object_server();
            let service = server.interface(PATH).await?;
            let unit = server.interface(PATH).await?;
            zbus::Result::Ok((connection, service, unit))
        };
        let (connection, service, unit) = runtime.block_on(build).expect("a systemd on the bus");
        Self {
            child,
            runtime,
            service,
            unit,
            active,
            subscribers,
            _connection: connection,
        }
    }

    /// The manager has restarted the unit so often in all.
    fn restarted(&self, restarts: u32) {
        let told = async {
            let mut service = self.service.get_mut().await;
            service.restarts = restarts;
            service.n_restarts_changed(self.service.signal_emitter()).await
        };
        self.runtime.block_on(told).expect("a signal");
    }

    fn becomes(&self, active: &'static str) {
        *self.active.lock().expect("its state") = active;
        let told = async {
            let unit = self.unit.get().await;
            unit.active_state_changed(self.unit.signal_emitter()).await
        };
        self.runtime.block_on(told).expect("a signal");
    }

    fn await_subscriber(&self) {
        until("the daemon subscribes", LIMIT, || {
            Ok(self.subscribers.load(Ordering::SeqCst) > 0)
        })
        .expect("a subscriber");
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(side: &Side, peer: &Side, priority: u8, inside: &'static str) -> Daemon {
    let settings = Settings {
        inside,
        ..Settings::unicast(side.address, peer.address, priority)
    };
    let program = Program::ours().expect("the daemon");
    Daemon::start(&side.host, &program, &settings.to_string(), Daemon::DETAILED).expect("a daemon")
}

fn instance(daemon: &Daemon) -> Value {
    daemon.status().expect("a status")["instances"][0].clone()
}

fn await_in_status(daemon: &Daemon, what: &str, mut holds: impl FnMut(&Value) -> bool) {
    until(what, LIMIT, || Ok(holds(&daemon.status()?))).expect(what);
}

fn await_logged(daemon: &Daemon, line: &str) {
    until(&format!("`{line}` in the log"), LIMIT, || {
        Ok(daemon.log()?.contains(line))
    })
    .expect(line);
}

#[test]
fn a_service_that_restarts_too_often_moves_the_addresses() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    // What was before the daemon came is none of its business.
    let bus = Bus::start(&a.host, 100);
    let on_b = start(b, a, 100, "");
    let on_a = start(a, b, 200, "    track_restarts flaky 2 4");
    a.await_mastery(Settings::ADDRESS, b, LIMIT).unwrap();
    bus.await_subscriber();
    assert_eq!(
        instance(&on_a)["tracked"],
        serde_json::json!([
            {"kind": "unit", "name": "flaky.service 2 4", "weight": 0, "reverse": false, "outcome": {"adds": 0}}
        ])
    );

    // As often as it may, then once more.
    bus.restarted(102);
    bus.restarted(103);
    b.await_mastery(Settings::ADDRESS, a, LIMIT).unwrap();
    await_logged(&on_a, "unit flaky.service was restarted more than 2 times in 4 s");
    let failing = instance(&on_a);
    assert_eq!(
        (&failing["state"], &failing["reason_code"], &failing["reason"]),
        (
            &"FAULT".into(),
            &"unit-failing".into(),
            &"a unit restarts too often or has failed (track_restarts flaky.service 2 4)".into()
        )
    );
    // Four seconds later.
    a.await_mastery(Settings::ADDRESS, b, LIMIT).unwrap();
    await_logged(&on_a, "unit flaky.service is steady: at most 2 restarts in 4 s");

    bus.becomes("failed");
    b.await_mastery(Settings::ADDRESS, a, LIMIT).unwrap();
    await_logged(&on_a, "unit flaky.service has failed");
    await_in_status(&on_a, "the status says so", |status| {
        status["units"] == serde_json::json!([{"name": "flaky.service 2 4", "steady": false}])
    });
    bus.becomes("active");
    a.await_mastery(Settings::ADDRESS, b, LIMIT).unwrap();
    drop((on_a, on_b));
}

/// A service manager that cannot be asked must not cost the addresses, neither at the start nor later.
#[test]
fn without_a_service_manager_nothing_is_tracked_and_that_is_said() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let on_a = start(
        a,
        b,
        200,
        "    track_restarts flaky.service 0 3600 weight -150\n    track_restarts nowhere.service 0 3600",
    );
    a.await_mastery(Settings::ADDRESS, b, LIMIT).unwrap();
    await_logged(&on_a, "track_restarts: systemd cannot be asked");

    let mut bus = Bus::start(&a.host, 5);
    await_logged(&on_a, "track_restarts: systemd answers again");
    await_logged(
        &on_a,
        "track_restarts: there is no unit nowhere.service, so its restarts protect nothing",
    );
    bus.restarted(6);
    let weighed = |status: &Value| status["instances"][0]["priority_effective"] == 50;
    await_in_status(&on_a, "its weight counts", weighed);
    assert_eq!(instance(&on_a)["state"], "MASTER");

    // What is known stays known while nobody answers.
    bus.child.kill().unwrap();
    until("the loss is noticed", LIMIT, || {
        Ok(on_a.log()?.matches("systemd cannot be asked").count() == 2)
    })
    .unwrap();
    assert_eq!(instance(&on_a)["priority_effective"], 50);

    // And across a reload: another weight, and one unit more.
    drop(bus);
    let bus = Bus::start(&a.host, 6);
    bus.await_subscriber();
    let file = a.host.read(Daemon::FILE).unwrap();
    let more = "weight -100\n    track_restarts flaky.service 1 3600 weight -1";
    let file = file.replace("weight -150", more);
    a.host.install(Daemon::FILE, file, 0o644).unwrap();
    on_a.signal(nix::sys::signal::Signal::SIGHUP).unwrap();
    await_in_status(&on_a, "the new weight counts", |status| {
        status["instances"][0]["priority_effective"] == 100
    });
    // What was before its first look is old.
    await_in_status(&on_a, "the new one has been looked at", |status| {
        let units = status["units"].as_array().into_iter().flatten();
        let looked = |unit: &Value| unit["name"] == "flaky.service 1 3600" && unit["steady"] == true;
        units.into_iter().any(looked)
    });
    bus.restarted(8);
    await_in_status(&on_a, "the new one counts, too", |status| {
        status["instances"][0]["priority_effective"] == 99
    });
}
