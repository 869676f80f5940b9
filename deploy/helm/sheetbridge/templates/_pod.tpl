{{- define "sheetbridge.pod" -}}
{{- $external := ne .Values.nats.url "" -}}
{{- $admin := printf "%s-admin" (include "sheetbridge.name" .) -}}
{{- $scheme := ternary "HTTPS" "HTTP" (ne .Values.admin.tlsSecret "") -}}
{{- if not (or .Values.admin.tlsSecret .Values.admin.allowPlaintext) }}
{{- fail "admin.tlsSecret: a secret of type kubernetes.io/tls for the admin listener, or admin.allowPlaintext=true" }}
{{- end }}
metadata:
  labels: {{- include "sheetbridge.labels" . | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: sheetbridge
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "sheetbridge.name" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false # they would be unknown settings
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "sheetbridge.selector" $ | nindent 10 }}
    {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: sheetbridge
      image: {{ include "sheetbridge.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      env:
        - {name: SHEETBRIDGE_LISTEN, value: ":8080"}
        - {name: SHEETBRIDGE_ADMIN_LISTEN, value: ":8081"}
        # Prometheus asks a pod by its address.
        - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - name: SHEETBRIDGE_ADMIN_HOSTS
          value: {{ concat (list "localhost" "127.0.0.1" "$(POD_IP)" $admin (printf "%s.%s" $admin .Release.Namespace) (printf "%s.%s.svc" $admin .Release.Namespace)) .Values.admin.hosts | join "," | quote }}
        {{- if .Values.admin.tlsSecret }}
        - {name: SHEETBRIDGE_ADMIN_TLS_CERT, value: /admin-tls/tls.crt}
        - {name: SHEETBRIDGE_ADMIN_TLS_KEY, value: /admin-tls/tls.key}
        {{- if .Values.admin.clientCA }}
        - {name: SHEETBRIDGE_ADMIN_CLIENT_CA, value: /admin-tls/ca.crt}
        {{- end }}
        {{- else }}
        - {name: SHEETBRIDGE_ADMIN_ALLOW_PLAINTEXT, value: "true"}
        {{- end }}
        # Of the secret, not of the volume that it seals.
        - {name: SHEETBRIDGE_MASTER_KEY_FILE, value: /secrets/master-key}
        - {name: SHEETBRIDGE_DATA_DIR, value: /data}
        - {name: SHEETBRIDGE_PUBLIC_URL, value: {{ .Values.publicUrl | quote }}}
        - {name: SHEETBRIDGE_RECONCILE_EVERY, value: {{ .Values.reconcileEvery | quote }}}
        - {name: SHEETBRIDGE_API_RATE, value: {{ .Values.apiRate | quote }}}
        - {name: SHEETBRIDGE_LOG_LEVEL, value: {{ .Values.logLevel }}}
        - {name: SHEETBRIDGE_LOG_FORMAT, value: json}
        {{- include "sheetbridge.secretEnv" (dict "env" "SHEETBRIDGE_ADMIN_TOKEN" "secret" .Values.secret.name "key" "admin-token") | nindent 8 }}
        {{- if .Values.secret.oauth }}
        {{- include "sheetbridge.secretEnv" (dict "env" "SHEETBRIDGE_OAUTH_CLIENT_ID" "secret" .Values.secret.oauth "key" "client-id") | nindent 8 }}
        {{- include "sheetbridge.secretEnv" (dict "env" "SHEETBRIDGE_OAUTH_CLIENT_SECRET" "secret" .Values.secret.oauth "key" "client-secret") | nindent 8 }}
        {{- end }}
        {{- if $external }}
        - {name: SHEETBRIDGE_NATS_URL, value: {{ .Values.nats.url | quote }}}
        - {name: SHEETBRIDGE_NATS_CREDS, value: /secrets/nats.creds}
        - {name: SHEETBRIDGE_NATS_REPLICAS, value: {{ .Values.nats.replicas | quote }}}
        {{- if .Values.nats.caConfigMap }}
        - {name: SHEETBRIDGE_NATS_CA, value: /nats-ca/ca.pem}
        {{- end }}
        {{- else if .Values.nats.listen }}
        - {name: SHEETBRIDGE_NATS_LISTEN, value: "0.0.0.0:4222"}
        - {name: SHEETBRIDGE_NATS_PUBLIC_URL, value: {{ required "nats.publicUrl: the address that partners are told" .Values.nats.publicUrl | quote }}}
        - {name: SHEETBRIDGE_NATS_TLS_CERT, value: /nats-tls/tls.crt}
        - {name: SHEETBRIDGE_NATS_TLS_KEY, value: /nats-tls/tls.key}
        {{- end }}
        {{- with .Values.tracing.endpoint }}
        - {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
        {{- end }}
        - {name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
        {{- with .Values.extraEnv }}{{ toYaml . | nindent 8 }}{{ end }}
      ports:
        - {name: callbacks, containerPort: 8080}
        - {name: admin, containerPort: 8081}
        {{- if and (not $external) .Values.nats.listen }}
        - {name: nats, containerPort: 4222}
        {{- end }}
      # It dies only if the process hangs: NATS gone is no reason to start anew.
      startupProbe: {httpGet: {path: /healthz, port: admin, scheme: {{ $scheme }}, httpHeaders: [{name: Host, value: localhost}]}, periodSeconds: 2, failureThreshold: 45, timeoutSeconds: 3}
      livenessProbe: {httpGet: {path: /healthz, port: admin, scheme: {{ $scheme }}, httpHeaders: [{name: Host, value: localhost}]}, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5}
      readinessProbe: {httpGet: {path: /readyz, port: admin, scheme: {{ $scheme }}, httpHeaders: [{name: Host, value: localhost}]}, periodSeconds: 3, failureThreshold: 1, timeoutSeconds: 4}
      {{- if .Values.drainSeconds }}
      # Load balancers learn of the end while callbacks are still answered. The
      # image has no shell to sleep in; Kubernetes itself does so since 1.30.
      lifecycle: {preStop: {sleep: {seconds: {{ .Values.drainSeconds }}}}}
      {{- end }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: secrets, mountPath: /secrets, readOnly: true}
        {{- if .Values.admin.tlsSecret }}
        - {name: admin-tls, mountPath: /admin-tls, readOnly: true}
        {{- end }}
        {{- if $external }}
        {{- if .Values.nats.caConfigMap }}
        - {name: nats-ca, mountPath: /nats-ca, readOnly: true}
        {{- end }}
        {{- else if .Values.nats.listen }}
        - {name: nats-tls, mountPath: /nats-tls, readOnly: true}
        {{- end }}
  volumes:
    - name: secrets
      secret:
        secretName: {{ .Values.secret.name }}
        defaultMode: 0440
        items:
          - {key: master-key, path: master-key}
          {{- if $external }}
          - {key: nats.creds, path: nats.creds}
          {{- end }}
    {{- if .Values.admin.tlsSecret }}
    - {name: admin-tls, secret: {secretName: {{ .Values.admin.tlsSecret }}, defaultMode: 0440}}
    {{- end }}
    {{- if $external }}
    - {name: data, emptyDir: {}}
    {{- with .Values.nats.caConfigMap }}
    - {name: nats-ca, configMap: {name: {{ . }}}}
    {{- end }}
    {{- else if .Values.nats.listen }}
    - {name: nats-tls, secret: {secretName: {{ required "nats.tlsSecret: a secret of type kubernetes.io/tls" .Values.nats.tlsSecret }}, defaultMode: 0440}}
    {{- end }}
{{- end }}
